/**
 * Where a rollout stands, from its wish and the time alone.
 * Invariant: needs no cryptography, so that a page tells the same as the command line.
 */

import type { Desired, Rollout } from './desired.js'

/** Later than any device lives: nobody begins before it. */
export const neverAt = '9999-12-31T23:59:59.000Z'

/** `halted` is a pause that the rollout's own plan made, because too many devices failed. */
export type RolloutPhase = 'running' | 'waiting' | 'paused' | 'halted' | 'aborted'

/** The terms of a wish; one without any is for everybody at once. */
export function termsOf({ rollout, sequence }: Desired): Rollout {
  return rollout ?? { percent: 100, salt: String(sequence) }
}

/** Where a rollout stands at the wall time `nowMs`. */
export function phaseOf(wish: Desired, nowMs: number): RolloutPhase {
  const { aborted, halted, notBefore } = termsOf(wish)
  if (aborted === true) return 'aborted'
  if (notBefore === neverAt) return halted === undefined ? 'paused' : 'halted'
  return notBefore !== undefined && Date.parse(notBefore) > nowMs ? 'waiting' : 'running'
}
