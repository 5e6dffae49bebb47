/**
 * Whether the agent still does its work: what the service manager's watchdog is fed by.
 * Invariant: waiting for a camera, for a broker that is away or for a model is life; a frame that never comes back from the model
 * is none, and neither is a connection that does not even try.
 */

import type { Clock } from '../base/clock.js'

/** What is watched. */
export interface LivenessPorts {
  /** Monotonic time since which the oldest frame under way is with a model; undefined while none is. */
  readonly frameSinceMs: () => number | undefined
  /** Monotonic time by which the broker loop takes its next step at the latest. */
  readonly brokerDueMs: () => number
  readonly clock: Clock
}

/** Longer than any frame takes on the smallest board, milliseconds. */
export const frameLimitMs = 20_000

/** Why the agent is to be started anew, in one sentence; undefined while it lives. */
export function stuckReason({ frameSinceMs, brokerDueMs, clock }: LivenessPorts): string | undefined {
  const nowMs = clock.monotonicMs()
  const busyMs = nowMs - (frameSinceMs() ?? nowMs)
  if (busyMs > frameLimitMs) return `a frame is with the model for ${(busyMs / 1000).toFixed(0)} s`
  const lateMs = nowMs - brokerDueMs()
  return lateMs > 0 ? `the broker loop is ${(lateMs / 1000).toFixed(0)} s late` : undefined
}
