/**
 * A clock for tests: short delays pass at once, long ones when the test says so.
 * Invariant: a sleep always takes a turn of the event loop.
 */

import type { Clock } from '../../src/base/clock.js'

/** Delays from here on wait for `advance`. */
const longMs = 60_000

export class TestClock implements Clock {
  #nowMs = Date.UTC(2026, 0, 1)
  readonly #sleepers = new Set<{ readonly dueMs: number; readonly wake: () => void }>()

  /** What the wall clock is ahead of the right time, milliseconds. */
  wallErrorMs = 0

  wallMs(): number {
    return this.#nowMs + this.wallErrorMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  async sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return
    if (delayMs < longMs) {
      this.#nowMs += delayMs
      await new Promise((resolve) => setImmediate(resolve))
      return
    }
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        resolve()
      }
      const sleeper = { dueMs: this.#nowMs + delayMs, wake }
      this.#sleepers.add(sleeper)
      signal?.addEventListener('abort', wake, { once: true })
    })
  }

  every(): () => void {
    return () => undefined
  }

  /** Lets time pass; wakes whoever is due. */
  advance(ms: number): void {
    this.#nowMs += ms
    for (const sleeper of this.#sleepers) {
      if (sleeper.dueMs > this.#nowMs) continue
      this.#sleepers.delete(sleeper)
      sleeper.wake()
    }
  }
}
