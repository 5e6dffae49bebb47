/**
 * The deployment machine: a pure step from state and event to state and effects.
 * Invariant: no clock, no waiting, no input or output; of the effects the journal always comes first.
 */

import { invariant, present } from '../base/assert.js'
import type { DeploymentState } from '../protocol/deployment.js'
import type { DeploymentRecord } from './deployment-record.js'
import type { UpdateEvent } from './events.js'
import { stateRow } from './states.js'
import { nextState } from './transitions.js'

export interface MachineState {
  readonly state: DeploymentState
  /** Present in every state but idle; in idle the deployment that ended last, if this process saw it. */
  readonly deployment?: DeploymentRecord
}

export type Effect =
  { readonly kind: 'write-journal' } | { readonly kind: 'report' } | { readonly kind: 'record-outcome' }

export interface Step {
  readonly next: MachineState
  /** In this order. */
  readonly effects: readonly Effect[]
}

/** The record with what `event` tells. */
function learn(current: MachineState, event: UpdateEvent): DeploymentRecord {
  if (event.kind === 'offered') return event.deployment
  const deployment = present(current.deployment, `a deployment is known in state ${current.state}`)
  switch (event.kind) {
    case 'accepted': {
      const { manifestSha256, shortlist, discarded } = event
      return { ...deployment, manifestSha256, shortlist, discarded }
    }
    case 'incomplete':
      return { ...deployment, refetches: deployment.refetches + 1 }
    case 'chosen': {
      const { variantId, why, discarded } = event
      return { ...deployment, variantId, why, discarded: [...deployment.discarded, ...discarded] }
    }
    case 'failed':
    case 'superseded':
      // The first error is the reason of the end; later ones only delay it.
      return { ...deployment, error: deployment.error ?? event.error }
    case 'downloaded':
    case 'verified':
    case 'permitted':
    case 'switched':
    case 'soaked':
    case 'finished':
    case 'abandoned':
      return deployment
  }
}

/** One step. An event without a row is a programmer error. */
export function step(current: MachineState, event: UpdateEvent): Step {
  const state = nextState(current.state, event.kind)
  invariant(
    state !== undefined,
    `event ${event.kind} happens in a state that has a row for it, not in ${current.state}`,
  )
  return { next: { state, deployment: learn(current, event) }, effects: effectsOf(current.state, state) }
}

/** What entering `state` sets going. */
export function effectsOf(from: DeploymentState, state: DeploymentState): readonly Effect[] {
  if (stateRow(state).work !== undefined) return [{ kind: 'write-journal' }, { kind: 'report' }]
  return from === 'idle'
    ? [{ kind: 'write-journal' }]
    : [{ kind: 'record-outcome' }, { kind: 'write-journal' }, { kind: 'report' }]
}
