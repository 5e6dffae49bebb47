/** The latencies of the last frames as a histogram. Invariant: holds at most `capacity` values. */

/** A histogram of latencies with bars of equal width, and two quantiles of the same frames. */
export interface LatencyBars {
  /** Middle of each bar, milliseconds. */
  readonly atMs: readonly number[]
  readonly counts: readonly number[]
  readonly frames: number
  readonly p50Ms: number
  readonly p95Ms: number
}

const barCount = 40
/** Widths of a bar that are easy to read on an axis, milliseconds. */
const steps = [0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 2.5, 5, 10, 20, 25, 50, 100, 250, 500, 1000]

export class LatencyWindow {
  readonly #values: Float64Array
  #count = 0

  constructor(capacity: number) {
    this.#values = new Float64Array(capacity)
  }

  add(valueMs: number): void {
    this.#values[this.#count % this.#values.length] = valueMs
    this.#count++
  }

  /** The bars from the fastest to the slowest frame; the slowest one in 200 counts into the last bar. */
  bars(): LatencyBars {
    const sorted = this.#values.slice(0, Math.min(this.#count, this.#values.length)).sort()
    const frames = sorted.length
    if (frames === 0) return { atMs: [], counts: [], frames, p50Ms: 0, p95Ms: 0 }
    const at = (share: number): number => sorted[Math.min(frames - 1, Math.floor(share * frames))]!
    const low = sorted[0]!
    const high = at(0.995)
    const step = steps.find((width) => (high - low) / width <= barCount) ?? (high - low) / barCount
    const from = Math.floor(low / step) * step
    const size = Math.floor((high - from) / step) + 1
    const counts = new Array<number>(size).fill(0)
    for (const value of sorted) {
      const bar = Math.min(size - 1, Math.floor((value - from) / step))
      counts[bar] = counts[bar]! + 1
    }
    return {
      atMs: counts.map((_, index) => from + (index + 0.5) * step),
      counts,
      frames,
      p50Ms: at(0.5),
      p95Ms: at(0.95),
    }
  }
}
