/**
 * What a start does with what the last run left: the journal's last state, and the state to enter.
 * Invariant: between switch and commit the answer is to roll back; whatever the journal says or has lost, a switch
 * that was not committed is undone, and counters end every loop.
 */

import type { DeploymentState, WireError } from '../protocol/deployment.js'
import { type DeploymentRecord, emptyRecord } from './deployment-record.js'
import type { JournalEntry } from './journal-entry.js'
import type { MachineState } from './machine.js'
import type { Outcome } from './outcomes.js'
import type { SlotsView } from './ports.js'

interface RecoveryRow {
  readonly enter: DeploymentState
  /** Restarts that this state survives in one attempt; one more refuses the deployment. */
  readonly restartsMax: number
}

/** Interrupted downloads go on where they were, so only a crash that comes back each time is to be stopped. */
const HARMLESS_RESTARTS_MAX = 28
/** A trial runs foreign code for the first time: it may take the whole machine down. */
const TRIAL_RESTARTS_MAX = 2
/** Starts in a row that end before they count as good; then the model before is served. */
export const UNSETTLED_STARTS_MAX = 5

// prettier-ignore
export const recoveryTable = {
  idle:        { enter: 'idle',        restartsMax: Number.POSITIVE_INFINITY },
  offered:     { enter: 'offered',     restartsMax: HARMLESS_RESTARTS_MAX    },
  downloading: { enter: 'downloading', restartsMax: HARMLESS_RESTARTS_MAX    },
  verifying:   { enter: 'verifying',   restartsMax: HARMLESS_RESTARTS_MAX    },
  // What was verified before the restart is verified once more.
  staged:      { enter: 'verifying',   restartsMax: HARMLESS_RESTARTS_MAX    },
  trial:       { enter: 'verifying',   restartsMax: TRIAL_RESTARTS_MAX       },
  // The default. The wish is tried again from the beginning while attempts are left.
  switching:   { enter: 'rollingBack', restartsMax: Number.POSITIVE_INFINITY },
  soaking:     { enter: 'rollingBack', restartsMax: Number.POSITIVE_INFINITY },
  // These are repeated until they succeed.
  committed:   { enter: 'committed',   restartsMax: Number.POSITIVE_INFINITY },
  refused:     { enter: 'refused',     restartsMax: Number.POSITIVE_INFINITY },
  rollingBack: { enter: 'rollingBack', restartsMax: Number.POSITIVE_INFINITY },
} as const satisfies Readonly<Record<DeploymentState, RecoveryRow>>

function interrupted(state: DeploymentState): WireError {
  return { code: 'deployment.run_interrupted', message: `the process or the power ended in state ${state}` }
}

/** A record for a switch of which the journal knows nothing. */
function recordFromSlots({ active }: SlotsView, outcomes: readonly Outcome[]): DeploymentRecord | undefined {
  if (active === undefined) return undefined
  const known = outcomes.find(({ deploymentId }) => deploymentId === active.deploymentId)
  return {
    ...emptyRecord(),
    id: active.deploymentId,
    target: { kind: 'device', name: 'unknown' },
    model: active.model,
    version: active.version,
    allowDowngrade: false,
    attempt: (known?.attempts ?? 0) + 1,
    variantId: active.variantId,
  }
}

/** What the journal's entry alone says. */
function recoverEntry({ state, deployment }: JournalEntry): MachineState {
  if (deployment === undefined || state === 'idle') return { state: 'idle' }
  const { enter, restartsMax } = recoveryTable[state]
  const counter = state === 'trial' ? 'trialRestarts' : 'restarts'
  const record = { ...deployment, [counter]: deployment[counter] + 1 }
  if (record[counter] > restartsMax)
    return { state: 'refused', deployment: { ...record, error: interrupted(state) } }
  if (enter === 'rollingBack') return rollingBack(record, interrupted(state))
  return { state: enter, deployment: record }
}

function rollingBack(deployment: DeploymentRecord, error: WireError): MachineState {
  return { state: 'rollingBack', deployment: { ...deployment, error: deployment.error ?? error } }
}

/** The way back from a committed model under which the process does not stay alive, if there is one. */
function recoverCrashLoop(entry: JournalEntry | undefined, slots: SlotsView): MachineState | undefined {
  if (entry === undefined || entry.unsettledStarts < UNSETTLED_STARTS_MAX) return undefined
  const deployment = slots.previous === undefined ? undefined : recordFromSlots(slots, entry.outcomes)
  if (deployment === undefined) return undefined
  const { model, version } = deployment
  const message = `${entry.unsettledStarts} starts in a row with ${model} ${version} ended early, so the model before serves`
  return rollingBack(deployment, { code: 'deployment.crash_loop', message })
}

/** The end of a switch that the slots know of and the journal's state does not. */
function recoverSwitch(entry: JournalEntry | undefined, slots: SlotsView): MachineState | undefined {
  const outcomes = entry?.outcomes ?? []
  const isKnown = entry?.deployment?.id === slots.active?.deploymentId
  const deployment = isKnown ? entry?.deployment : recordFromSlots(slots, outcomes)
  if (deployment === undefined) return undefined
  const wasCommitted = outcomes.some(
    ({ deploymentId, result }) => result === 'committed' && deploymentId === deployment.id,
  )
  if (wasCommitted) return { state: 'committed', deployment }
  return rollingBack(deployment, {
    code: 'deployment.run_interrupted',
    message: 'a switch was found that was not committed',
  })
}

/** The state to enter at start. `entry` is undefined when there is none or it was lost. */
export function recover(entry: JournalEntry | undefined, slots: SlotsView): MachineState {
  const found = entry === undefined ? { state: 'idle' as const } : recoverEntry(entry)
  const isSwitched = slots.beforeSwitch !== undefined
  const isActive = slots.active !== undefined && slots.active.deploymentId === found.deployment?.id
  const wasServing = entry?.state === 'switching' || entry?.state === 'soaking'
  if (wasServing && isActive && !isSwitched) {
    // The slots are newer than the journal, whose last entry was lost: the commit has happened.
    return { state: 'committed', deployment: entry.deployment! }
  }
  if (found.state === 'rollingBack') return found
  if (found.state === 'committed') {
    if (isActive) return found
    return rollingBack(found.deployment!, {
      code: 'deployment.run_interrupted',
      message: 'the model that was to be committed is not the active one: its record is lost',
    })
  }
  return (isSwitched ? recoverSwitch(entry, slots) : recoverCrashLoop(entry, slots)) ?? found
}
