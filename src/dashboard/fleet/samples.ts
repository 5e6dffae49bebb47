/**
 * The last figures of one device, evenly spaced enough for a chart.
 * Invariant: holds at most `capacity` samples, oldest first; times only rise.
 */

/** One sample as columns: what a chart is fed with. */
export interface SampleColumns {
  /** Seconds since 1970. */
  readonly atS: readonly number[]
  readonly p50Ms: readonly (number | null)[]
  readonly p95Ms: readonly (number | null)[]
  readonly endToEndP95Ms: readonly (number | null)[]
  readonly fps: readonly (number | null)[]
  readonly temperatureC: readonly (number | null)[]
}

/** One sample; NaN for what the device did not say. */
export interface Sample {
  readonly atMs: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly endToEndP95Ms: number
  readonly fps: number
  readonly temperatureC: number
}

const columns = 6

export class Samples {
  readonly capacity: number
  readonly #spacingMs: number
  #values = new Float64Array(0)
  #size = 0
  #head = 0

  /** Keeps `capacity` samples that are at least `spacingMs` apart; one that comes sooner replaces the last. */
  constructor(capacity: number, spacingMs: number) {
    this.capacity = capacity
    this.#spacingMs = spacingMs
  }

  get size(): number {
    return this.#size
  }

  add(sample: Sample): void {
    if (this.#values.length === 0) this.#values = new Float64Array(this.capacity * columns)
    const place = this.#placeFor(sample.atMs)
    if (place === undefined) return
    const { atMs, p50Ms, p95Ms, endToEndP95Ms, fps, temperatureC } = sample
    this.#values.set([atMs, p50Ms, p95Ms, endToEndP95Ms, fps, temperatureC], place * columns)
  }

  /** The newest `count` values of p95, oldest first. */
  recentP95(count: number): number[] {
    const from = Math.max(0, this.#size - count)
    return Array.from({ length: this.#size - from }, (_, index) => this.#at(from + index, 2))
  }

  columns(): SampleColumns {
    const column = (which: number): (number | null)[] =>
      Array.from({ length: this.#size }, (_, index) => {
        const value = this.#at(index, which)
        return Number.isNaN(value) ? null : value
      })
    return {
      atS: Array.from({ length: this.#size }, (_, index) => this.#at(index, 0) / 1000),
      p50Ms: column(1),
      p95Ms: column(2),
      endToEndP95Ms: column(3),
      fps: column(4),
      temperatureC: column(5),
    }
  }

  /** Where the next sample goes; undefined for one from before the last. */
  #placeFor(atMs: number): number | undefined {
    if (this.#size > 0) {
      const lastMs = this.#at(this.#size - 1, 0)
      if (atMs < lastMs) return undefined
      const beforeMs = this.#size > 1 ? this.#at(this.#size - 2, 0) : -Infinity
      if (this.#size > 1 && lastMs - beforeMs < this.#spacingMs) return this.#slot(this.#size - 1)
    }
    if (this.#size < this.capacity) return this.#slot(this.#size++)
    this.#head = (this.#head + 1) % this.capacity
    return this.#slot(this.#size - 1)
  }

  #slot(index: number): number {
    return (this.#head + index) % this.capacity
  }

  #at(index: number, column: number): number {
    return this.#values[this.#slot(index) * columns + column]!
  }
}
