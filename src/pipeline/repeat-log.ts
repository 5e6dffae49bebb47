/**
 * Logs what may happen in every frame without filling the disk.
 * Invariant: at most one line a period for each code; the next line says how many were left out.
 */

import type { Clock } from '../base/clock.js'
import { AgentError, messageOf } from '../base/errors.js'
import type { Logger } from '../base/logger.js'

export class RepeatLog {
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #periodMs: number
  readonly #seen = new Map<string, { lastMs: number; leftOut: number }>()

  constructor(logger: Logger, clock: Clock, periodMs: number) {
    this.#logger = logger
    this.#clock = clock
    this.#periodMs = periodMs
  }

  /** Logs `thrown` as a warning, unless one of its code was logged within the period. */
  warn(thrown: unknown, message: string): void {
    const code = thrown instanceof AgentError ? thrown.code : 'unknown'
    const key = `${message} ${code}`
    const nowMs = this.#clock.monotonicMs()
    const entry = this.#seen.get(key)
    if (entry !== undefined && nowMs - entry.lastMs < this.#periodMs) {
      entry.leftOut++
      return
    }
    this.#seen.set(key, { lastMs: nowMs, leftOut: 0 })
    this.#logger.warn({ code, reason: messageOf(thrown), left_out: entry?.leftOut ?? 0 }, message)
  }
}
