/**
 * The times of the frames of one camera on a scale that no setting of the clock moves.
 * Invariant: the scale never goes back; it goes by the times of capture, and by the monotonic clock over a moment in which the
 * clock was set.
 */

import type { Clock } from '../base/clock.js'

/** A clock was set when wall time and monotonic time differ by more than this over one frame. */
const clockStepMsMin = 1000

export class FrameTime {
  readonly #clock: Clock
  #capturedAtMs: number | undefined
  #monotonicMs = 0
  #timeMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The time of the next frame, milliseconds since the first one; `capturedAtMs` is wall time. */
  of(capturedAtMs: number): number {
    const monotonicMs = this.#clock.monotonicMs()
    const byMonotonic = monotonicMs - this.#monotonicMs
    const byCapture = capturedAtMs - (this.#capturedAtMs ?? capturedAtMs)
    const isSet = Math.abs(byCapture - byMonotonic) > clockStepMsMin || byCapture <= 0
    this.#timeMs += this.#capturedAtMs === undefined ? 0 : isSet ? byMonotonic : byCapture
    this.#capturedAtMs = capturedAtMs
    this.#monotonicMs = monotonicMs
    return this.#timeMs
  }

  /** The present moment on the same scale. */
  now(): number {
    if (this.#capturedAtMs === undefined) return 0
    return this.#timeMs + this.#clock.monotonicMs() - this.#monotonicMs
  }
}
