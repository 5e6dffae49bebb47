/**
 * A latency histogram with logarithmic buckets: constant memory, bounded relative error.
 * Invariant: count equals the sum of all buckets; a percentile of values from 10 µs to 6 hours is at most 2.5 % above the true
 * value and never below it by more than one bucket.
 */

const BUCKETS_PER_DOUBLING = 32
const SMALLEST_MS = 0.01
/** 31 doublings of 10 µs are 6 hours: the build of an engine takes up to one. The last bucket holds everything above. */
const BUCKET_COUNT = BUCKETS_PER_DOUBLING * 31 + 1

export interface LatencySummary {
  readonly count: number
  readonly meanMs: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export class Histogram {
  readonly #buckets = new Uint32Array(BUCKET_COUNT)
  #count = 0
  #sumMs = 0
  #maxMs = 0

  get count(): number {
    return this.#count
  }

  /** Adds one value in milliseconds; negative and non-finite values count as 0. */
  record(valueMs: number): void {
    const value = Number.isFinite(valueMs) && valueMs > 0 ? valueMs : 0
    const position =
      value <= SMALLEST_MS ? 0 : Math.ceil(Math.log2(value / SMALLEST_MS) * BUCKETS_PER_DOUBLING)
    const bucket = Math.min(BUCKET_COUNT - 1, position)
    this.#buckets[bucket] = this.#buckets[bucket]! + 1
    this.#count++
    this.#sumMs += value
    if (value > this.#maxMs) this.#maxMs = value
  }

  /** The smallest bucket bound that at least `quantile` (0..1) of the values do not exceed; 0 when empty. */
  percentileMs(quantile: number): number {
    if (this.#count === 0) return 0
    const wanted = Math.max(1, Math.ceil(quantile * this.#count))
    let seen = 0
    for (let bucket = 0; bucket < BUCKET_COUNT; bucket++) {
      seen += this.#buckets[bucket]!
      if (seen >= wanted && bucket === BUCKET_COUNT - 1) return this.#maxMs
      if (seen >= wanted) return Math.min(this.#maxMs, SMALLEST_MS * 2 ** (bucket / BUCKETS_PER_DOUBLING))
    }
    return this.#maxMs
  }

  summary(): LatencySummary {
    return {
      count: this.#count,
      meanMs: this.#count === 0 ? 0 : this.#sumMs / this.#count,
      p50Ms: this.percentileMs(0.5),
      p95Ms: this.percentileMs(0.95),
      p99Ms: this.percentileMs(0.99),
      maxMs: this.#maxMs,
    }
  }

  /** Forgets every value. */
  reset(): void {
    this.#buckets.fill(0)
    this.#count = 0
    this.#sumMs = 0
    this.#maxMs = 0
  }
}
