/**
 * What the journal keeps: enough to know, after any interruption, what was going on.
 * Invariant: an entry that does not parse counts as none, and then the slots decide (see recover.ts).
 */

import { deploymentStates, type DeploymentState } from '../protocol/deployment.js'
import type { DeploymentRecord } from './deployment-record.js'
import type { Outcome } from './outcomes.js'

/** The newest wish seen for one target. */
export interface SeenWish {
  readonly sequence: number
  readonly id: string
}

export interface JournalEntry {
  readonly state: DeploymentState
  readonly deployment?: DeploymentRecord
  readonly outcomes: readonly Outcome[]
  /** By target, `kind/name`: an older wish is a replay. */
  readonly seenWishes: Readonly<Record<string, SeenWish>>
  /** The signed wish for this device alone: it counts until it is released, whatever the broker holds then. */
  readonly ownWish?: string
  /** Starts in a row that did not live long enough to count as good; see recover.ts. */
  readonly unsettledStarts: number
  /** Of the kernel that the process ran on: another one means that the machine was started anew; absent where it is not known. */
  readonly bootId?: string
}

type Fields = Readonly<Record<string, unknown>>

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function hasTexts(fields: Fields, ...names: readonly string[]): boolean {
  return names.every((name) => typeof fields[name] === 'string')
}

function hasCounts(fields: Fields, ...names: readonly string[]): boolean {
  return names.every((name) => Number.isSafeInteger(fields[name]))
}

function isOptionalText(value: unknown): boolean {
  return value === undefined || typeof value === 'string'
}

function isError(value: unknown): boolean {
  return value === undefined || (isFields(value) && hasTexts(value, 'code', 'message'))
}

function isDeployment(value: unknown): value is DeploymentRecord {
  return (
    isFields(value) &&
    hasTexts(value, 'id', 'model', 'version') &&
    hasCounts(value, 'attempt', 'restarts', 'trialRestarts', 'refetches') &&
    isFields(value['target']) &&
    hasTexts(value['target'], 'kind', 'name') &&
    typeof value['allowDowngrade'] === 'boolean' &&
    Array.isArray(value['shortlist']) &&
    value['shortlist'].every((id) => typeof id === 'string') &&
    Array.isArray(value['discarded']) &&
    value['discarded'].every((item) => isFields(item) && hasTexts(item, 'variant', 'reason')) &&
    isOptionalText(value['manifestSha256']) &&
    isOptionalText(value['variantId']) &&
    isOptionalText(value['why']) &&
    isOptionalText(value['reconsidered']) &&
    isError(value['error'])
  )
}

function isOutcome(value: unknown): value is Outcome {
  return (
    isFields(value) &&
    hasTexts(value, 'deploymentId', 'result') &&
    hasCounts(value, 'attempts') &&
    typeof value['isFinal'] === 'boolean' &&
    typeof value['retryAtMs'] === 'number' &&
    (value['retryDelayMs'] === undefined || typeof value['retryDelayMs'] === 'number') &&
    ['code', 'message', 'model', 'version'].every((name) => isOptionalText(value[name])) &&
    (value['endedAtMs'] === undefined || typeof value['endedAtMs'] === 'number')
  )
}

function isSeenWish(value: unknown): value is SeenWish {
  return isFields(value) && hasCounts(value, 'sequence') && hasTexts(value, 'id')
}

/** The entry in a JSON value, or undefined when it is none. */
export function parseJournalEntry(value: unknown): JournalEntry | undefined {
  if (!isFields(value)) return undefined
  const { state, deployment, outcomes, seenWishes } = value
  const isKnownState = deploymentStates.some((known) => known === state)
  if (!isKnownState || (deployment === undefined ? state !== 'idle' : !isDeployment(deployment)))
    return undefined
  if (!Array.isArray(outcomes) || !outcomes.every(isOutcome)) return undefined
  if (!isFields(seenWishes) || !Object.values(seenWishes).every(isSeenWish)) return undefined
  if (
    !hasCounts(value, 'unsettledStarts') ||
    !isOptionalText(value['bootId']) ||
    !isOptionalText(value['ownWish'])
  )
    return undefined
  return value as unknown as JournalEntry
}
