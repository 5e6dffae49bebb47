/**
 * How a rollout goes on by itself: wider while devices are well, paused when too many fail.
 * Invariant: all that is needed lies on the broker: the signed wish holds the plan and when its step began, devices say how
 * they fare. So whoever has the key can carry it out, from any machine, after any interruption.
 */

import { systemClock } from '../../base/clock.js'
import { AgentError, isAgentError } from '../../base/errors.js'
import type { FleetStore } from '../../dashboard/fleet/fleet-store.js'
import type { Desired, Rollout } from '../../protocol/desired.js'
import type { SigningKey } from '../../protocol/keys.js'
import type { FleetConnection } from './fleet-connection.js'
import { healthOf, type Move, nextMove } from './rollout-health.js'
import { readFleet } from './rollout-status.js'
import { halted, widened } from './rollout-terms.js'
import { tellTarget, type Told } from './tell-target.js'
import { ownWish, withRollout } from './wish.js'

/** One rollout that a plan moved. */
export interface Moved {
  readonly wish: Desired
  readonly move: Move
  readonly told: Told
}

/**
 * Carries out what the plans of all channels ask for now, as far as `key` signed them. Throws `network.*`; a fleet that could
 * not be read to the end moves no rollout.
 */
export async function carryOut(fleet: FleetConnection, key: SigningKey): Promise<readonly Moved[]> {
  const { store, unfinished } = await readFleet(fleet)
  if (unfinished !== undefined) {
    const problem = `the fleet was not read to the end, so no rollout is moved: ${unfinished}`
    throw new AgentError('network.reading_unfinished', problem)
  }
  const moved: Moved[] = []
  for (const claimed of store.channels.values()) {
    const nowMs = systemClock.wallMs()
    if (!isMoving(claimed, store, nowMs)) continue
    const wish = await ownWish(fleet, claimed.target, key).catch(foreignWish)
    const move = wish === undefined ? undefined : nextMove(wish, healthOf(store, wish), nowMs)
    if (wish === undefined || move === undefined || move.kind === 'wait') continue
    const terms: Rollout = move.kind === 'halt' ? halted(wish, move.reason) : widened(wish, move.percent)
    const after = withRollout(wish, terms, nowMs)
    const told = await tellTarget(fleet, wish.target, [key], (sequence) => ({
      kind: 'wish',
      wish: { ...after, sequence },
    }))
    moved.push({ wish: after, move, told })
  }
  return moved
}

function isMoving(wish: Desired, store: FleetStore, nowMs: number): boolean {
  const move = nextMove(wish, healthOf(store, wish), nowMs)
  return move !== undefined && move.kind !== 'wait'
}

/** A wish that somebody else signed is somebody else's to carry out. */
function foreignWish(thrown: unknown): undefined {
  if (isAgentError(thrown, 'trust.key_unknown', 'trust.unsigned_refused', 'trust.signature_invalid')) return
  throw thrown
}
