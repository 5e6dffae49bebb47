/**
 * When deployments that failed are tried again, in monotonic time.
 * Invariant: an outcome waits at most as long as it was to wait at its end, whatever the wall clock said then or says later.
 */

import type { Clock } from '../base/clock.js'
import { type Outcome, retryWaitMs } from './outcomes.js'

export class RetryTimes {
  readonly #clock: Clock
  /** The monotonic time from which on an outcome may be tried again; known from the first look at it in this process. */
  readonly #dueMs = new WeakMap<Outcome, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How long `outcome` still waits, milliseconds; 0 when its time has come. */
  waitMs(outcome: Outcome): number {
    const nowMs = this.#clock.monotonicMs()
    let dueMs = this.#dueMs.get(outcome)
    if (dueMs === undefined) {
      dueMs = nowMs + retryWaitMs(outcome, this.#clock.wallMs())
      this.#dueMs.set(outcome, dueMs)
    }
    return Math.max(0, dueMs - nowMs)
  }
}
