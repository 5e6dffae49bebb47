/**
 * What a start does with what the last run left: the journal's last state, and the state to enter.
 * Invariant: between switch and commit the answer is to roll back; whatever the journal says or has lost, a switch
 * that was not committed is undone, and counters end every loop.
 */

import type { DeploymentState, WireError } from '../protocol/deployment.js'
import type { DeploymentRecord } from './deployment-record.js'
import type { JournalEntry } from './journal-entry.js'
import type { MachineState } from './machine.js'
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
  return { code: 'deployment.interrupted', message: `the process or the power ended in state ${state}` }
}

/** A record for a switch of which the journal knows nothing. */
function recordFromSlots(slots: SlotsView): DeploymentRecord | undefined {
  const { active } = slots
  if (active === undefined) return undefined
  return {
    id: active.deploymentId,
    target: { kind: 'device', name: 'unknown' },
    model: active.model,
    version: active.version,
    allowDowngrade: false,
    attempt: 1,
    restarts: 0,
    refetches: 0,
    shortlist: [],
    discarded: [],
    variantId: active.variantId,
    error: { code: 'deployment.interrupted', message: 'a switch was found that was not committed' },
  }
}

/** What the journal's entry alone says. */
function recoverEntry({ state, deployment }: JournalEntry): MachineState {
  if (deployment === undefined || state === 'idle') return { state: 'idle' }
  const { enter, restartsMax } = recoveryTable[state]
  const record = { ...deployment, restarts: deployment.restarts + 1 }
  if (record.restarts > restartsMax)
    return { state: 'refused', deployment: { ...record, error: interrupted(state) } }
  if (enter === 'rollingBack') {
    return { state: enter, deployment: { ...record, error: record.error ?? interrupted(state) } }
  }
  return { state: enter, deployment: record }
}

/** The state to enter at start. `entry` is undefined when there is none or it was lost. */
export function recover(entry: JournalEntry | undefined, slots: SlotsView): MachineState {
  const found = entry === undefined ? { state: 'idle' as const } : recoverEntry(entry)
  const isSwitched = slots.beforeSwitch !== undefined
  const isActive = slots.active !== undefined && slots.active.deploymentId === found.deployment?.id
  if (found.state === 'rollingBack') return found
  if (found.state === 'committed') {
    if (isActive) return found
    const error = { code: 'store.state_corrupt', message: 'the committed model is not the active one' }
    return { state: 'rollingBack', deployment: { ...found.deployment!, error } }
  }
  if (!isSwitched) return found
  const wasCommitted = entry?.outcomes.some(
    ({ deploymentId, result }) => result === 'committed' && deploymentId === slots.active?.deploymentId,
  )
  const deployment = found.deployment ?? recordFromSlots(slots)
  if (deployment === undefined) return found
  if (wasCommitted === true && found.state === 'idle') return { state: 'committed', deployment }
  const error = deployment.error ?? interrupted(found.state)
  return { state: 'rollingBack', deployment: { ...deployment, error } }
}
