/**
 * The delay before attempt n: capped exponential with equal jitter (half of the bound is fixed, half is drawn), so that a fleet
 * neither returns all at once nor hammers a broker that has just come back.
 */

import type { Random } from './random.js'

export interface BackoffOptions {
  /** Upper bound of the first delay, milliseconds. */
  readonly firstMs: number
  /** Upper bound of every delay, milliseconds. */
  readonly capMs: number
}

/** Delay in [bound/2, bound) for `attempt` (0 for the first retry), with bound = min(cap, first * 2^attempt). */
export function backoffDelayMs(attempt: number, options: BackoffOptions, random: Random): number {
  const boundMs = Math.min(options.capMs, options.firstMs * 2 ** Math.min(attempt, 30))
  return boundMs / 2 + (boundMs / 2) * random.next()
}
