/**
 * Taking input channels out of a convolution one by one with exact compensation of the rest (optimal brain surgeon,
 * Hassibi and Stork 1993, by blocks). With H = M + ridge diag M, M the second moments of the input, removing the places q
 * costs tr(W_q (H^-1_qq)^-1 W_q^T) and changes the others by -W_q (H^-1_qq)^-1 H^-1_q,:.
 * Invariant: after each removal `inverse` is H^-1 over the places that are left, and `weights` are the best for them.
 */

import { answerVariance } from './compensate.js'
import { factorSmall, inverted } from './cholesky.js'
import type { Matrix, ProductSum } from './matrix-products.js'

export class Elimination {
  readonly #n: number
  readonly #outputs: number
  /** Symmetric: only the lower triangle is kept up to date. */
  readonly #inverse: Float64Array
  /** [unknowns, outputs]. */
  readonly #weights: Float64Array
  readonly #left: Uint8Array
  readonly #variance: number

  /** @param weights [outputs, unknowns]; @param moments of the unknowns; neither is changed */
  constructor(weights: Matrix, moments: ProductSum, ridge: number) {
    const n = weights.columns
    this.#n = n
    this.#outputs = weights.rows
    this.#left = new Uint8Array(n).fill(1)
    this.#variance = answerVariance(weights, moments)
    this.#weights = new Float64Array(n * weights.rows)
    for (let at = 0; at < n; at++) {
      for (let output = 0; output < weights.rows; output++) {
        this.#weights[at * weights.rows + output] = weights.data[output * n + at]!
      }
    }
    const system = moments.data.slice()
    let trace = 0
    for (let at = 0; at < n; at++) trace += system[at * n + at]!
    const floor = Math.max((1e-6 * trace) / n, 1e-12)
    for (let at = 0; at < n; at++) system[at * n + at]! *= 1 + ridge
    for (let at = 0; at < n; at++) system[at * n + at]! += floor
    this.#inverse = inverted(system, n)
  }

  /** Squared error, relative to the variance of the answer, that removing `places` now would add. */
  cost(places: readonly number[]): number {
    const { solved, own } = this.#solve(places)
    let sum = 0
    for (let at = 0; at < own.length; at++) sum += own[at]! * solved[at]!
    return sum / this.#variance
  }

  /** Removes `places` and compensates the rest. */
  remove(places: readonly number[]): void {
    const [n, outputs, size] = [this.#n, this.#outputs, places.length]
    const { solved, block } = this.#solve(places)
    const rows = places.map((place) => this.#row(place))
    for (const place of places) this.#left[place] = 0
    const scaled = new Float64Array(size)
    for (let row = 0; row < n; row++) {
      if (this.#left[row] === 0) continue
      for (let q = 0; q < size; q++) {
        const along = rows[q]![row]!
        for (let output = 0; output < outputs; output++) {
          this.#weights[row * outputs + output]! -= along * solved[q * outputs + output]!
        }
      }
      for (let q = 0; q < size; q++) scaled[q] = rows[q]![row]!
      forwardBackward(block, size, scaled)
      for (let q = 0; q < size; q++) {
        const source = rows[q]!
        const scale = scaled[q]!
        const base = row * n
        for (let column = 0; column <= row; column++) this.#inverse[base + column]! -= scale * source[column]!
      }
    }
  }

  #at(row: number, column: number): number {
    return this.#inverse[Math.max(row, column) * this.#n + Math.min(row, column)]!
  }

  #row(place: number): Float64Array {
    return Float64Array.from({ length: this.#n }, (_, at) => this.#at(place, at))
  }

  /** W_q and (H^-1_qq)^-1 W_q, both [places, outputs], and the factor of H^-1_qq. */
  #solve(places: readonly number[]): { solved: Float64Array; own: Float64Array; block: Float64Array } {
    const [outputs, size] = [this.#outputs, places.length]
    const block = new Float64Array(size * size)
    const own = new Float64Array(size * outputs)
    places.forEach((place, row) => {
      for (let column = 0; column < size; column++)
        block[row * size + column] = this.#at(place, places[column]!)
      own.set(this.#weights.subarray(place * outputs, (place + 1) * outputs), row * outputs)
    })
    factorSmall(block, size)
    const solved = own.slice()
    const side = new Float64Array(size)
    for (let output = 0; output < outputs; output++) {
      for (let q = 0; q < size; q++) side[q] = own[q * outputs + output]!
      forwardBackward(block, size, side)
      for (let q = 0; q < size; q++) solved[q * outputs + output] = side[q]!
    }
    return { solved, own, block }
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
