/**
 * A histogram of tensor values that needs no range beforehand: when a value falls outside, the range doubles and
 * neighbouring bins merge.
 * Invariant: memory is constant however many values are added; `count` is the sum of all bins; every finite value
 * lies in [min, max], which are exact.
 */

import { invariant } from '../../../base/assert.js'
import { type Range, rangeOf } from '../affine.js'

/** Bins of every histogram: a power of two, so that merging halves it. */
export const binCount = 8192

/** About how many values of one tensor go into the bins. */
const samplesPerTensor = 32768

export class ValueHistogram {
  /** How many values fell into each bin. Read-only for everybody else. */
  readonly bins = new Float64Array(binCount)
  #low = 0
  #width = 0
  #min = Infinity
  #max = -Infinity
  #count = 0

  get count(): number {
    return this.#count
  }

  /** The exact smallest and largest value; 0..0 when empty. */
  get range(): Range {
    return this.#count === 0 ? { min: 0, max: 0 } : { min: this.#min, max: this.#max }
  }

  /** The real value in the middle of bin `index`. */
  center(index: number): number {
    return this.#low + (index + 0.5) * this.#width
  }

  /**
   * Adds values. Borrows them. Of a large tensor the ends are exact, and its bins take evenly spread samples that
   * stand for all of it. NaN and infinities are refused: a model that makes them cannot be calibrated.
   */
  add(values: Float32Array): void {
    if (values.length === 0) return
    const { min, max } = rangeOf(values)
    invariant(Number.isFinite(min) && Number.isFinite(max), 'calibrated activations are finite')
    this.#cover(min, max)
    // Odd, so that samples of a map of even width do not fall into the same columns.
    const step = values.length > 2 * samplesPerTensor ? Math.floor(values.length / samplesPerTensor) | 1 : 1
    const bins = this.bins
    const low = this.#low
    const scale = 1 / this.#width
    for (let index = 0; index < values.length; index += step) {
      // The quotient is not negative, so truncation is the floor.
      const bin = ((values[index]! - low) * scale) | 0
      bins[bin < binCount ? bin : binCount - 1]! += step
      this.#count += step
    }
  }

  /** Adds `weight` values of size `value`. */
  addWeighted(value: number, weight: number): void {
    this.#cover(value, value)
    const bin = Math.floor((value - this.#low) / this.#width)
    this.bins[Math.min(binCount - 1, Math.max(0, bin))]! += weight
    this.#count += weight
  }

  /** The histogram of `map(value)`, each bin taken at its centre. */
  mapped(map: (value: number) => number): ValueHistogram {
    const image = new ValueHistogram()
    for (let index = 0; index < binCount; index++) {
      const weight = this.bins[index]!
      if (weight > 0) image.addWeighted(map(this.center(index)), weight)
    }
    return image
  }

  /** Adds all of `other`, each bin at its centre. */
  merge(other: ValueHistogram): void {
    if (other.count === 0) return
    const { min, max } = other.range
    this.#cover(min, max)
    for (let index = 0; index < binCount; index++) {
      const weight = other.bins[index]!
      if (weight > 0) this.addWeighted(Math.min(max, Math.max(min, other.center(index))), weight)
    }
  }

  #cover(min: number, max: number): void {
    if (min < this.#min) this.#min = min
    if (max > this.#max) this.#max = max
    if (this.#width === 0) {
      this.#low = min
      this.#width = Math.max((max - min) / (binCount - 1), Math.abs(max) * 1e-9, 1e-12)
    }
    while (min < this.#low) this.#double('down')
    while (max >= this.#low + this.#width * binCount) this.#double('up')
  }

  #double(direction: 'down' | 'up'): void {
    const half = binCount / 2
    const offset = direction === 'up' ? 0 : half
    const merged = new Float64Array(binCount)
    for (let index = 0; index < half; index++) {
      merged[offset + index] = this.bins[2 * index]! + this.bins[2 * index + 1]!
    }
    this.bins.set(merged)
    if (direction === 'down') this.#low -= this.#width * binCount
    this.#width *= 2
  }
}
