/**
 * Taking input channels out of a convolution one by one with exact compensation of the rest (optimal brain surgeon,
 * Hassibi and Stork 1993, by blocks). With H = M + ridge diag M, M the second moments of the input, removing the places q
 * costs tr(W_q (H^-1_qq)^-1 W_q^T) and changes the others by -W_q (H^-1_qq)^-1 H^-1_q,:.
 * Invariant: after each removal `inverse` is H^-1 over the places that are left, and `weights` are the best for them.
 */

import { type KernelMemory, reserveMemory } from '../../base/web-assembly.js'
import { factorSmall, inverted } from './cholesky.js'
import { high, lanes, type MatrixKernels, matrixKernelsOn, numberBytes, wide } from './matrix-loops.js'
import type { Matrix, ProductSum } from './matrix-products.js'

/** Places that a kernel takes out together; more are taken out in parts. */
const togetherMax = 16

function wholeLanes(count: number): number {
  return Math.ceil(count / lanes) * lanes
}

export class Elimination {
  readonly #n: number
  readonly #outputs: number
  /** Numbers a row of `#inverse`, and of `#weights`. */
  readonly #size: number
  readonly #width: number
  readonly #kernels: MatrixKernels
  /** Symmetric: only the lower triangle is kept up to date. */
  readonly #inverse: Float64Array
  /** [unknowns, outputs]. */
  readonly #weights: Float64Array
  /** What is subtracted from rows of the two above, and how many times. */
  readonly #sources: Float64Array
  readonly #solved: Float64Array
  readonly #factors: Float64Array
  readonly #left: Uint8Array
  readonly #variance: number

  /** @param weights [outputs, unknowns]; @param moments of the unknowns; neither is changed */
  constructor(weights: Matrix, moments: ProductSum, ridge: number) {
    const { columns: n, rows: outputs } = weights
    this.#n = n
    this.#outputs = outputs
    this.#size = wholeLanes(n)
    this.#width = wholeLanes(outputs)
    this.#left = new Uint8Array(n).fill(1)
    const lengths = [
      this.#size * this.#size,
      Math.max(n * this.#width, wholeLanes(outputs) * this.#size),
      togetherMax * this.#size,
      togetherMax * this.#width,
      togetherMax,
    ]
    const total = lengths.reduce((sum, length) => sum + length, 0)
    const memory = reserveMemory(total * numberBytes, `taking inputs out of a convolution with ${n} of them`)
    this.#kernels = matrixKernelsOn(memory)
    const [inverse, own, sources, solved, factors] = arraysIn(memory, lengths)
    this.#inverse = inverse!
    this.#weights = own!
    this.#sources = sources!
    this.#solved = solved!
    this.#factors = factors!
    this.#variance = this.#answerVariance(weights, moments)
    this.#weights.fill(0)
    for (let at = 0; at < n; at++)
      for (let output = 0; output < outputs; output++)
        this.#weights[at * this.#width + output] = weights.data[output * n + at]!
    const system = moments.data.slice()
    let trace = 0
    for (let at = 0; at < n; at++) trace += system[at * n + at]!
    const floor = Math.max((1e-6 * trace) / n, 1e-12)
    for (let at = 0; at < n; at++) system[at * n + at]! *= 1 + ridge
    for (let at = 0; at < n; at++) system[at * n + at]! += floor
    this.#setInverse(inverted(system, n))
  }

  /** Squared error, relative to the variance of the answer, that removing `places` now would add. */
  cost(places: readonly number[]): number {
    const { own, block } = this.#blockOf(places)
    const [outputs, size] = [this.#outputs, places.length]
    // tr(W_q (L L^T)^-1 W_q^T) is the sum of the squares of L^-1 W_q^T.
    let sum = 0
    for (let q = 0; q < size; q++) {
      for (let k = 0; k < q; k++) {
        const factor = block[q * size + k]!
        for (let output = 0; output < outputs; output++)
          own[q * outputs + output]! -= factor * own[k * outputs + output]!
      }
      const pivot = block[q * size + q]!
      for (let at = q * outputs; at < (q + 1) * outputs; at++) {
        const value = own[at]! / pivot
        own[at] = value
        sum += value * value
      }
    }
    return sum / this.#variance
  }

  /** Removes `places` and compensates the rest. */
  remove(places: readonly number[]): void {
    const size = places.length
    const { solved, block } = this.#solve(places)
    const rows = places.map((place) => this.#row(place))
    for (const place of places) this.#left[place] = 0
    for (let first = 0; first < size; first += togetherMax) {
      const end = Math.min(size, first + togetherMax)
      for (let q = first; q < end; q++) {
        this.#sources.set(rows[q]!, (q - first) * this.#size)
        const own = solved.subarray(q * this.#outputs, (q + 1) * this.#outputs)
        this.#solved.set(own, (q - first) * this.#width)
      }
      const scaled = new Float64Array(size)
      for (let row = 0; row < this.#n; row++) {
        if (this.#left[row] === 0) continue
        for (let q = 0; q < size; q++) scaled[q] = rows[q]![row]!
        this.#factors.set(scaled.subarray(first, end))
        const weights = { array: this.#weights, from: row * this.#width, count: this.#width }
        this.#subtract(weights, this.#solved, end - first)
        forwardBackward(block, size, scaled)
        this.#factors.set(scaled.subarray(first, end))
        const inverse = { array: this.#inverse, from: row * this.#size, count: wholeLanes(row + 1) }
        this.#subtract(inverse, this.#sources, end - first)
      }
    }
  }

  /** From a range of whole lanes the first `count` rows of `sources`, as many times as the factors say. */
  #subtract(
    into: { readonly array: Float64Array; readonly from: number; readonly count: number },
    sources: Float64Array,
    count: number,
  ): void {
    const factors = this.#factors.byteOffset
    this.#kernels.subtract(
      into.array.byteOffset + into.from * numberBytes,
      into.count * numberBytes,
      sources.byteOffset,
      sources.byteLength / togetherMax,
      factors,
      factors + count * numberBytes,
    )
  }

  /** Sum over outputs of the variance of w x, bias and mean taken out. Uses the room of inverse and weights. */
  #answerVariance({ rows: outputs, columns: n, data }: Matrix, moments: ProductSum): number {
    this.#setInverse(moments.data)
    for (let output = 0; output < outputs; output++)
      this.#weights.set(data.subarray(output * n, (output + 1) * n), output * this.#size)
    let variance = 0
    const sums = this.#factors
    for (let output = 0; output < outputs; output += high) {
      for (let at = 0; at < n; at += wide) {
        this.#kernels.products(
          this.#weights.byteOffset + output * this.#size * numberBytes,
          this.#inverse.byteOffset + at * this.#size * numberBytes,
          this.#size * numberBytes,
          this.#size * numberBytes,
          sums.byteOffset,
        )
        for (let place = 0; place < high * wide; place++) {
          const answer = sums[place]!
          const row = output + Math.floor(place / wide)
          const column = at + (place % wide)
          variance += answer * this.#weights[row * this.#size + column]!
          // The last unknown is always one: its answer is the mean.
          if (column === n - 1) variance -= answer ** 2
        }
      }
    }
    return Math.max(variance, 1e-12)
  }

  /** Fills the room of the inverse with `matrix` [n, n]. */
  #setInverse(matrix: Float64Array): void {
    for (let row = 0; row < this.#n; row++)
      this.#inverse.set(matrix.subarray(row * this.#n, (row + 1) * this.#n), row * this.#size)
  }

  #at(row: number, column: number): number {
    return this.#inverse[Math.max(row, column) * this.#size + Math.min(row, column)]!
  }

  #row(place: number): Float64Array {
    return Float64Array.from({ length: this.#n }, (_, at) => this.#at(place, at))
  }

  /** W_q [places, outputs] and the factor of H^-1_qq. */
  #blockOf(places: readonly number[]): { own: Float64Array; block: Float64Array } {
    const [outputs, size] = [this.#outputs, places.length]
    const block = new Float64Array(size * size)
    const own = new Float64Array(size * outputs)
    for (let row = 0; row < size; row++) {
      for (let column = 0; column <= row; column++)
        block[row * size + column] = this.#at(places[row]!, places[column]!)
      const start = places[row]! * this.#width
      own.set(this.#weights.subarray(start, start + outputs), row * outputs)
    }
    factorSmall(block, size)
    return { own, block }
  }

  /** (H^-1_qq)^-1 W_q [places, outputs] and the factor of H^-1_qq. */
  #solve(places: readonly number[]): { solved: Float64Array; block: Float64Array } {
    const { own, block } = this.#blockOf(places)
    const [outputs, size] = [this.#outputs, places.length]
    const side = new Float64Array(size)
    for (let output = 0; output < outputs; output++) {
      for (let q = 0; q < size; q++) side[q] = own[q * outputs + output]!
      forwardBackward(block, size, side)
      for (let q = 0; q < size; q++) own[q * outputs + output] = side[q]!
    }
    return { solved: own, block }
  }
}

/** Solves L L^T x = side in place for one small right side. */
function forwardBackward(factor: Float64Array, n: number, side: Float64Array): void {
  for (let i = 0; i < n; i++) {
    let sum = side[i]!
    for (let k = 0; k < i; k++) sum -= factor[i * n + k]! * side[k]!
    side[i] = sum / factor[i * n + i]!
  }
  for (let i = n - 1; i >= 0; i--) {
    let sum = side[i]!
    for (let k = i + 1; k < n; k++) sum -= factor[k * n + i]! * side[k]!
    side[i] = sum / factor[i * n + i]!
  }
}

/** Arrays of these lengths side by side. */
function arraysIn({ buffer }: KernelMemory, lengths: readonly number[]): readonly Float64Array[] {
  let start = 0
  return lengths.map((length) => {
    const array = new Float64Array(buffer, start * numberBytes, length)
    start += length
    return array
  })
}
