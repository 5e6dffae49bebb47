/**
 * Tells when the machine has changed so that another variant may be the best: its power mode, or heat that keeps it slow.
 * Invariant: a change counts once, and only after it has lasted; what the machine does not tell is no change.
 */

import type { MachineCondition } from '../../hardware/hardware-profile.js'

export interface ChangeLimits {
  /** How long a new power mode must have lasted, milliseconds. */
  readonly powerModeMs: number
  /** How long the machine must have been slowed down, or at full speed again; 0: never a change. */
  readonly throttleMs: number
}

/** A value that is believed once it has lasted. */
class Settled<T> {
  #believed: T | undefined
  #seen: T | undefined
  #sinceMs = 0

  /** Notes `value`; returns what was believed until now, in the moment in which `value` takes its place. */
  note(value: T, nowMs: number, holdMs: number): { readonly before: T } | undefined {
    if (this.#believed === undefined) this.#believed = value
    if (value !== this.#seen) {
      this.#seen = value
      this.#sinceMs = nowMs
    }
    if (value === this.#believed || nowMs - this.#sinceMs < holdMs) return undefined
    const before = this.#believed
    this.#believed = value
    return { before }
  }
}

export class ConditionChanges {
  readonly #limits: ChangeLimits
  readonly #powerMode = new Settled<string>()
  readonly #throttled = new Settled<boolean>()

  constructor(limits: ChangeLimits) {
    this.#limits = limits
  }

  /** Takes a reading at the monotonic time `nowMs`. Returns what has changed, in one sentence, or undefined. */
  note({ powerMode, throttled }: MachineCondition, nowMs: number): string | undefined {
    const { powerModeMs, throttleMs } = this.#limits
    const mode = powerMode === undefined ? undefined : this.#powerMode.note(powerMode, nowMs, powerModeMs)
    const speed =
      throttled === undefined || throttleMs === 0
        ? undefined
        : this.#throttled.note(throttled, nowMs, throttleMs)
    if (mode !== undefined) return `the power mode changed from ${mode.before} to ${powerMode}`
    if (speed === undefined) return undefined
    const seconds = (throttleMs / 1000).toFixed(0)
    return speed.before
      ? `the machine has been at full speed again for ${seconds} s`
      : `the machine has been slowed down for ${seconds} s`
  }
}
