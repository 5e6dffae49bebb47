/**
 * The wishes a device has heard, and the one that counts: its own wins over its channel's.
 * Invariant: a wish that is not signed, is for somebody else, or is older than one already seen never counts.
 */

import { sha256Of } from '../base/digest.js'
import { AgentError } from '../base/errors.js'
import {
  type Desired,
  desiredPayloadType,
  type DesiredTarget,
  parseDesired,
  requireTarget,
} from '../protocol/desired.js'
import { decideRollout } from '../protocol/rollout.js'
import { openEnvelope, type TrustPolicy } from '../protocol/envelope.js'
import type { DeploymentRecord } from './deployment-record.js'
import type { SeenWish } from './journal-entry.js'

/** A wish as it counts. */
export interface Wish {
  /** The same wish is the same deployment, however often it arrives. */
  readonly id: string
  readonly desired: Desired
}

/** What the newest wishes mean for this device now. */
export type WishDecision =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'deploy'; readonly wish: Wish }
  /** Not before this long. */
  | { readonly kind: 'wait'; readonly waitMs: number }

/** The name of a target in the journal. */
export function targetKey({ kind, name }: DesiredTarget): string {
  return `${kind}/${name}`
}

/** The identity of a deployment: whom the wish was for, what it asks, and which wish it was. */
function deploymentIdOf({ target, model, version, sequence }: Desired): string {
  return sha256Of([targetKey(target), model, version, sequence].join('\n')).slice(0, 16)
}

export class WishBook {
  readonly #device: string
  readonly #current = new Map<DesiredTarget['kind'], Wish>()
  #seen: Readonly<Record<string, SeenWish>>

  constructor(device: string, seen: Readonly<Record<string, SeenWish>>) {
    this.#device = device
    this.#seen = seen
  }

  /** The newest wish seen for each target, for the journal. */
  get seen(): Readonly<Record<string, SeenWish>> {
    return this.#seen
  }

  /** Sequence of the wish that counts, if any. */
  get sequence(): number | undefined {
    return this.#effective()?.desired.sequence
  }

  /**
   * Takes a wish from the network. Returns whether anything changed.
   * Throws `trust.*` and `protocol.*` for one that does not count; the earlier one counts on.
   */
  take(target: DesiredTarget, envelope: Uint8Array, trust: TrustPolicy): boolean {
    const desired = parseDesired(openEnvelope(envelope, desiredPayloadType, trust).payload)
    requireTarget(desired, target)
    const key = targetKey(target)
    const newest = this.#seen[key]
    const wish = { id: deploymentIdOf(desired), desired }
    const isStale =
      newest !== undefined &&
      (desired.sequence < newest.sequence || (desired.sequence === newest.sequence && wish.id !== newest.id))
    if (isStale) {
      const problem = `cannot accept the wish for ${target.kind} ${target.name}: its sequence is ${desired.sequence}, expected more than ${newest.sequence}`
      throw new AgentError('trust.sequence_stale', problem)
    }
    if (this.#current.get(target.kind)?.id === wish.id && sameRollout(this.#current.get(target.kind)!, wish))
      return false
    this.#current.set(target.kind, wish)
    this.#seen = { ...this.#seen, [key]: { sequence: desired.sequence, id: wish.id } }
    return true
  }

  /** Forgets the wish for `target`. Returns whether there was one. */
  withdraw(target: DesiredTarget): boolean {
    return this.#current.delete(target.kind)
  }

  /** What to do at the wall time `nowMs`. */
  decide(nowMs: number): WishDecision {
    const wish = this.#effective()
    if (wish === undefined) return { kind: 'nothing' }
    const decision = decideRollout(wish.desired, this.#device, nowMs)
    if (decision.follows) return { kind: 'deploy', wish }
    return decision.reason === 'not_yet' ? { kind: 'wait', waitMs: decision.waitMs } : { kind: 'nothing' }
  }

  /**
   * Whether `deployment`, which is under way, is wished no more: another version is, or the wish was narrowed so that this
   * device does not follow. A wish for the same version that is only newer changes nothing.
   */
  isUnwanted({ model, version }: DeploymentRecord, nowMs: number): boolean {
    const wish = this.#effective()
    if (wish === undefined) return false
    const { follows } = decideRollout(wish.desired, this.#device, nowMs)
    const isSameVersion = wish.desired.model === model && wish.desired.version === version
    return isSameVersion ? !follows : follows
  }

  #effective(): Wish | undefined {
    return this.#current.get('device') ?? this.#current.get('channel')
  }
}

function sameRollout(a: Wish, b: Wish): boolean {
  return JSON.stringify(a.desired.rollout) === JSON.stringify(b.desired.rollout)
}
