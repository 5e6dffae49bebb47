/**
 * Whether a model is slow, or the machine is: the same fixed work was timed beside both measurements.
 * Invariant: pure; of a model that runs on processors the time on a processor decides, wherever it was counted: a busy neighbor
 * lengthens the time that passes without a bound, and would hide a slow model as well as blame a fast one.
 */

import type { ReferenceFigures } from './ports.js'

/** One measurement of a model, milliseconds a frame. */
export interface SpeedFigures {
  /** The latency that is compared: the same quantile on both sides. */
  readonly wallMs: number
  /** Mean time on a processor; absent where nobody counts it. */
  readonly cpuMs?: number | undefined
  readonly reference?: ReferenceFigures | undefined
}

/** Which quantile of the reference belongs to the latencies. */
type Quantile = 'p50Ms' | 'p95Ms'

export interface SlownessRule {
  /** How many times as long as the standard the model may take. */
  readonly factorMax: number
  /** Differences below this are the machine's, milliseconds. */
  readonly slackMs: number
  readonly quantile: Quantile
  /** Whether the model runs on processors alone, so that its time there is all that it takes. */
  readonly isOnProcessors: boolean
}

/** A model that is too slow: what was compared, milliseconds a frame. */
export interface Slowness {
  readonly takenMs: number
  readonly standardMs: number
  readonly limitMs: number
  readonly isOnProcessors: boolean
}

/**
 * How a model as measured `now` is slower than `standard` allows; undefined when it is not. The limit grows as the fixed work
 * did between the two measurements; it never shrinks, because that work is disturbed less easily than a model is.
 */
export function slownessBeside(
  now: SpeedFigures,
  standard: SpeedFigures,
  { factorMax, slackMs, quantile, isOnProcessors }: SlownessRule,
): Slowness | undefined {
  const beyond = (
    takenMs: number,
    standardMs: number,
    load: number,
    isOnProcessors: boolean,
  ): Slowness | undefined => {
    const limitMs = Math.max(standardMs * factorMax, standardMs + slackMs) * load
    return takenMs > limitMs ? { takenMs, standardMs, limitMs, isOnProcessors } : undefined
  }
  if (isOnProcessors && now.cpuMs !== undefined && standard.cpuMs !== undefined) {
    const load = growth(now.reference?.cpuMs, standard.reference?.cpuMs)
    return beyond(now.cpuMs, standard.cpuMs, load, true)
  }
  const load = growth(now.reference?.[quantile], standard.reference?.[quantile])
  return beyond(now.wallMs, standard.wallMs, load, false)
}

/** How many times as long the fixed work took, at least 1. */
function growth(nowMs: number | undefined, thenMs: number | undefined): number {
  if (nowMs === undefined || thenMs === undefined || !(thenMs > 0)) return 1
  return Math.max(1, nowMs / thenMs)
}
