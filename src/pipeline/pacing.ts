/**
 * Keeps a loop from running faster than wanted.
 * Invariant: never more than `maxFps` turns in a second on average, never a burst after a pause.
 */

import type { Clock } from '../base/clock.js'

export class Pacing {
  readonly #clock: Clock
  readonly #periodMs: number
  #dueMs = 0

  /** `maxFps` 0 means as fast as it goes. */
  constructor(maxFps: number, clock: Clock) {
    this.#clock = clock
    this.#periodMs = maxFps > 0 ? 1000 / maxFps : 0
    this.#dueMs = clock.monotonicMs()
  }

  /** Resolves when the next turn may begin, or when `signal` aborts. */
  async turn(signal: AbortSignal): Promise<void> {
    if (this.#periodMs === 0) return
    const nowMs = this.#clock.monotonicMs()
    const waitMs = this.#dueMs - nowMs
    if (waitMs > 0) await this.#clock.sleep(waitMs, signal)
    // A late turn does not shorten the next one by more than its lateness; after a pause the schedule starts again.
    this.#dueMs = Math.max(this.#dueMs, nowMs - this.#periodMs) + this.#periodMs
  }
}
