/**
 * Wishes that were not taken, so that whoever sent them sees it.
 * Invariant: one a target at the most; it stands until a later wish for the same target is taken.
 */

import { type AgentError, isAgentError } from '../base/errors.js'
import type { DesiredTarget } from '../protocol/desired.js'
import { placeOf, unverifiedTelling } from '../protocol/release.js'
import type { RefusedWish } from '../protocol/reported.js'
import { wireError } from './deployment-message.js'

/** What a refused message asked, as far as it can be read: for telling only, nothing of it is believed. */
function claimsOf(envelope: Uint8Array | undefined): Pick<RefusedWish, 'model' | 'version' | 'sequence'> {
  if (envelope === undefined) return {}
  try {
    const telling = unverifiedTelling(envelope)
    const { sequence } = placeOf(telling)
    if (telling.kind === 'release') return { sequence }
    const { model, version } = telling.wish
    return { model, version, sequence }
  } catch {
    // Not readable at all: the refusal says so itself.
    return {}
  }
}

export class RefusedWishes {
  readonly #refused = new Map<DesiredTarget['kind'], RefusedWish>()
  #count = 0

  /** The newest refusal that still stands. */
  get last(): RefusedWish | undefined {
    return [...this.#refused.values()].at(-1)
  }

  /** Refusals since the start. */
  get count(): number {
    return this.#count
  }

  /** Notes that `envelope` for `target` was refused with `error` at the wall time `nowMs`; undefined: an empty message. */
  add(
    target: DesiredTarget,
    envelope: Uint8Array | undefined,
    error: AgentError,
    { nowMs, newestSequence }: { readonly nowMs: number; readonly newestSequence: number | undefined },
  ): void {
    this.#count++
    this.#refused.delete(target.kind)
    this.#refused.set(target.kind, {
      target,
      at: new Date(nowMs).toISOString(),
      error: wireError(error.code, error.message),
      ...claimsOf(envelope),
      ...(isAgentError(error, 'trust.sequence_stale') && newestSequence !== undefined && { newestSequence }),
    })
  }

  /** A wish for `target` was taken. Returns whether a refusal stood. */
  clear({ kind }: DesiredTarget): boolean {
    return this.#refused.delete(kind)
  }
}
