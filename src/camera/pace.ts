/** An even rhythm. Invariant: frame n is never early; a late frame does not make the following ones hurry. */

import type { Clock } from '../base/clock.js'

export class Pace {
  readonly #clock: Clock
  readonly #periodMs: number
  #nextMs: number

  /** `fps` undefined: no waiting at all. */
  constructor(fps: number | undefined, clock: Clock) {
    this.#clock = clock
    this.#periodMs = fps === undefined ? 0 : 1000 / fps
    this.#nextMs = clock.monotonicMs()
  }

  /** Waits until the next frame is due, or `signal` aborts. The first is due at once. */
  async wait(signal: AbortSignal): Promise<void> {
    if (this.#periodMs === 0) return
    const now = this.#clock.monotonicMs()
    if (this.#nextMs > now) await this.#clock.sleep(this.#nextMs - now, signal)
    this.#nextMs = Math.max(this.#nextMs, now) + this.#periodMs
  }
}
