/**
 * The last figures of one device, evenly spaced enough for a chart.
 * Invariant: holds at most `capacity` samples, oldest first; times only rise; figures are as exact as 32 bits are.
 */

/** One sample as columns: what a chart is fed with. */
export interface SampleColumns {
  /** The times of the samples, seconds since 1970. */
  readonly atS: readonly number[]
  readonly p50Ms: readonly (number | null)[]
  readonly p95Ms: readonly (number | null)[]
  readonly endToEndP95Ms: readonly (number | null)[]
  readonly fps: readonly (number | null)[]
  readonly temperatureC: readonly (number | null)[]
}

/** What one sample says; NaN for what the device did not say. */
export interface SampleFigures {
  readonly p50Ms: number
  readonly p95Ms: number
  readonly endToEndP95Ms: number
  readonly fps: number
  readonly temperatureC: number
}

/** What a sample holds besides its time, in this order. */
const columns = 5
const p95Column = 1
const startCapacity = 15

export class Samples {
  readonly capacity: number
  readonly #spacingMs: number
  /** Both grow with the number of samples: of most devices a page hears only for a while. */
  #timesMs = new Float64Array(0)
  #values = new Float32Array(0)
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

  /** Adds what was true at the wall time `atMs`. */
  add(atMs: number, sample: SampleFigures): void {
    const place = this.#placeFor(atMs)
    if (place === undefined) return
    this.#timesMs[place] = atMs
    const first = place * columns
    this.#values[first] = sample.p50Ms
    this.#values[first + p95Column] = sample.p95Ms
    this.#values[first + 2] = sample.endToEndP95Ms
    this.#values[first + 3] = sample.fps
    this.#values[first + 4] = sample.temperatureC
  }

  /** The newest `count` values of p95, oldest first. */
  recentP95(count: number): number[] {
    const from = Math.max(0, this.#size - count)
    return Array.from({ length: this.#size - from }, (_, index) => this.#at(from + index, p95Column))
  }

  columns(): SampleColumns {
    const column = (which: number): (number | null)[] =>
      Array.from({ length: this.#size }, (_, index) => {
        const value = this.#at(index, which)
        return Number.isNaN(value) ? null : value
      })
    return {
      atS: Array.from({ length: this.#size }, (_, index) => this.#timeAt(index) / 1000),
      p50Ms: column(0),
      p95Ms: column(p95Column),
      endToEndP95Ms: column(2),
      fps: column(3),
      temperatureC: column(4),
    }
  }

  /** Where the next sample goes; undefined for one from before the last. */
  #placeFor(atMs: number): number | undefined {
    if (this.#size > 0) {
      const lastMs = this.#timeAt(this.#size - 1)
      if (atMs < lastMs) return undefined
      const beforeMs = this.#size > 1 ? this.#timeAt(this.#size - 2) : -Infinity
      if (this.#size > 1 && lastMs - beforeMs < this.#spacingMs) return this.#slot(this.#size - 1)
    }
    if (this.#size < this.capacity) {
      if (this.#size === this.#timesMs.length) this.#grow()
      return this.#size++
    }
    this.#head = (this.#head + 1) % this.capacity
    return this.#slot(this.#size - 1)
  }

  /** Makes room for more samples. It is called before the first one is dropped, while the oldest still lies at the beginning. */
  #grow(): void {
    const capacity = Math.min(this.capacity, Math.max(startCapacity, 2 * this.#timesMs.length))
    const timesBytes = capacity * Float64Array.BYTES_PER_ELEMENT
    const memory = new ArrayBuffer(timesBytes + capacity * columns * Float32Array.BYTES_PER_ELEMENT)
    const timesMs = new Float64Array(memory, 0, capacity)
    const values = new Float32Array(memory, timesBytes)
    timesMs.set(this.#timesMs)
    values.set(this.#values)
    this.#timesMs = timesMs
    this.#values = values
  }

  #slot(index: number): number {
    return (this.#head + index) % this.capacity
  }

  #timeAt(index: number): number {
    return this.#timesMs[this.#slot(index)]!
  }

  #at(index: number, column: number): number {
    return this.#values[this.#slot(index) * columns + column]!
  }
}
