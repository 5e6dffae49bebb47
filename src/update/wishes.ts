/**
 * The wishes a device has heard, and the one that counts: its own wins over its channel's.
 * Invariant: a wish that is not signed, is for somebody else, or is older than anything already taken for its target never
 * counts; only a signed release takes a wish back.
 */

import { sha256Of } from '../base/digest.js'
import { AgentError } from '../base/errors.js'
import { type Desired, type DesiredTarget, requireTarget } from '../protocol/desired.js'
import { decideRollout } from '../protocol/rollout.js'
import { openEnvelope, type TrustPolicy } from '../protocol/envelope.js'
import { parseTelling, placeOf, type Telling, tellingPayloadTypes } from '../protocol/release.js'
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

/** What a telling changed: nothing, the wish that counts for its target, or that none does any more. */
export type Taken = 'nothing' | 'wish' | 'release'

/** What judges a telling that arrives: whom to believe, and the wall time. */
export interface Arrival {
  readonly trust: TrustPolicy
  readonly nowMs: number
}

/** Targets whose newest sequence is remembered: this device, its channel, and channels that it followed before. */
const seenMax = 16

/** The name of a target in the journal. */
export function targetKey({ kind, name }: DesiredTarget): string {
  return `${kind}/${name}`
}

/** The identity of a telling: whom it is for, what it asks, and which one it is. For a wish it names the deployment. */
function idOf(telling: Telling): string {
  const { target, sequence } = placeOf(telling)
  const asked = telling.kind === 'wish' ? [telling.wish.model, telling.wish.version] : ['release']
  return sha256Of([targetKey(target), ...asked, sequence].join('\n')).slice(0, 16)
}

export class WishBook {
  readonly #device: string
  readonly #current = new Map<DesiredTarget['kind'], Wish>()
  #seen: Readonly<Record<string, SeenWish>>

  constructor(device: string, seen: Readonly<Record<string, SeenWish>>) {
    this.#device = device
    this.#seen = seen
  }

  /** The newest wish or release taken for each target, for the journal; the last one taken is last. */
  get seen(): Readonly<Record<string, SeenWish>> {
    return this.#seen
  }

  /** Sequence of the wish that counts, if any. */
  get sequence(): number | undefined {
    return this.#effective()?.desired.sequence
  }

  /** The sequence of the newest wish or release taken for `target`, if any. */
  newestSequence(target: DesiredTarget): number | undefined {
    const key = targetKey(target)
    return Object.hasOwn(this.#seen, key) ? this.#seen[key]!.sequence : undefined
  }

  /**
   * Takes a wish or a release from the network.
   * Throws `trust.*` and `protocol.*` for one that does not count; the earlier one counts on.
   */
  take(target: DesiredTarget, envelope: Uint8Array, { trust, nowMs }: Arrival): Taken {
    const telling = parseTelling(openEnvelope(envelope, tellingPayloadTypes, trust))
    const { sequence, target: signedFor } = placeOf(telling)
    requireTarget(signedFor, target)
    const id = idOf(telling)
    const key = targetKey(target)
    const newest = Object.hasOwn(this.#seen, key) ? this.#seen[key] : undefined
    const isStale =
      newest !== undefined &&
      (sequence < newest.sequence || (sequence === newest.sequence && id !== newest.id))
    if (isStale) {
      const problem = `cannot accept the wish for ${target.kind} ${target.name}: its sequence is ${sequence}, expected more than ${newest.sequence}`
      throw new AgentError('trust.sequence_stale', problem)
    }
    const isKnown = newest?.id === id
    if (telling.kind === 'wish' && !isKnown) requireTimely(telling.wish, nowMs)
    const others = Object.entries(this.#seen).filter(([other]) => other !== key)
    const now: readonly [string, SeenWish] = [key, { sequence, id }]
    this.#seen = Object.fromEntries([...others, now].slice(-seenMax))
    if (telling.kind === 'release') return this.withdraw(target) || !isKnown ? 'release' : 'nothing'
    const wish = { id, desired: telling.wish }
    const current = this.#current.get(target.kind)
    if (current?.id === id && sameRollout(current, wish)) return 'nothing'
    this.#current.set(target.kind, wish)
    return 'wish'
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

/** Throws `trust.wish_expired` for a wish that is heard for the first time after its end. */
function requireTimely({ expiresAt, target }: Desired, nowMs: number): void {
  if (expiresAt === undefined || Date.parse(expiresAt) > nowMs) return
  const now = new Date(nowMs).toISOString()
  const problem = `cannot accept the wish for ${target.kind} ${target.name}: it could be taken until ${expiresAt}, and the clock here says ${now}`
  throw new AgentError('trust.wish_expired', problem)
}

function sameRollout(a: Wish, b: Wish): boolean {
  return JSON.stringify(a.desired.rollout) === JSON.stringify(b.desired.rollout)
}
