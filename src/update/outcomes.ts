/**
 * How earlier deployments ended, so that a wish that cannot succeed is not tried for ever.
 * Invariant: at most OUTCOMES_MAX entries, one a deployment, the newest last.
 */

import { backoffDelayMs } from '../base/backoff.js'
import { errorCodeOf, errorTable, type RetryPolicy } from '../base/errors.js'
import type { Random } from '../base/random.js'
import type { DeploymentState } from '../protocol/deployment.js'
import type { DeploymentRecord } from './deployment-record.js'

const OUTCOMES_MAX = 16
const messageLengthMax = 500
const retryBackoff = { firstMs: 60_000, capMs: 3_600_000 }

export interface Outcome {
  readonly deploymentId: string
  /** What was deployed, and when it ended (wall time); absent in what older versions wrote. */
  readonly model?: string
  readonly version?: string
  readonly endedAtMs?: number
  readonly result: 'committed' | 'refused' | 'rolledBack'
  /** Attempts that count against the limit. */
  readonly attempts: number
  /** Why, when it was not committed. */
  readonly code?: string
  readonly message?: string
  /** Never tried again. Otherwise from `retryAtMs` (wall time) on. */
  readonly isFinal: boolean
  readonly retryAtMs: number
  /** How long it was to wait, milliseconds: the bound of the wait, whatever the wall clock says later. */
  readonly retryDelayMs?: number
}

function retryPolicyOf(code: string): RetryPolicy {
  const known = errorCodeOf(code)
  return known === undefined ? 'never' : errorTable[known].retry
}

/**
 * A manifest that is not on the broker yet, or was taken off it; bytes in its place that no trusted key has signed for this version,
 * which anybody may have put there for a moment; another wish.
 */
const externalCodes = new Set([
  'bundle.file_missing',
  'deployment.wish_superseded',
  'trust.signature_invalid',
  'trust.key_unknown',
  'trust.unsigned_refused',
])

/** Failures that say nothing about the model: they never use up the attempts. */
function isExternal(code: string): boolean {
  const areas = ['network.', 'resource.', 'protocol.']
  return areas.some((area) => code.startsWith(area)) || externalCodes.has(code)
}

export interface OutcomeOptions {
  readonly attemptsMax: number
  readonly nowMs: number
  readonly random: Random
}

/** The outcome of `deployment` that ends in `from`, one of the closing states. */
export function outcomeOf(
  deployment: DeploymentRecord,
  from: DeploymentState,
  options: OutcomeOptions,
): Outcome {
  const { id: deploymentId, model, version, attempt, error } = deployment
  const ended = { deploymentId, model, version, endedAtMs: options.nowMs }
  if (from === 'committed') {
    return { ...ended, result: 'committed', attempts: attempt, isFinal: true, retryAtMs: 0 }
  }
  const code = error?.code ?? 'deployment.run_interrupted'
  const attempts = isExternal(code) ? attempt - 1 : attempt
  const isFinal = !isExternal(code) && (retryPolicyOf(code) === 'never' || attempts >= options.attemptsMax)
  const delayMs = backoffDelayMs(attempt - 1, retryBackoff, options.random)
  const retryDelayMs = code === 'deployment.wish_superseded' ? 0 : delayMs
  return {
    ...ended,
    result: from === 'rollingBack' ? 'rolledBack' : 'refused',
    attempts,
    code,
    ...(error !== undefined && { message: error.message.slice(0, messageLengthMax) }),
    isFinal,
    retryAtMs: options.nowMs + retryDelayMs,
    retryDelayMs,
  }
}

/** How long `outcome` still waits at the wall time `nowMs`: never longer than it was to wait at its end. */
export function retryWaitMs(
  { retryAtMs, retryDelayMs = retryBackoff.capMs }: Outcome,
  nowMs: number,
): number {
  return Math.min(retryDelayMs, Math.max(0, retryAtMs - nowMs))
}

/** `outcomes` with `outcome` as the newest. */
export function withOutcome(outcomes: readonly Outcome[], outcome: Outcome): Outcome[] {
  const others = outcomes.filter((other) => other.deploymentId !== outcome.deploymentId)
  return [...others, outcome].slice(-OUTCOMES_MAX)
}
