/**
 * Closed-form compensation on the unpruned graph: the weights with which the kept inputs of a convolution answer most
 * like all inputs did. With the moments M = E[x x^T] and y = W x the least squares weights over the kept places K are
 * W' = (W M_{:,K} + lambda W_K) (M_KK + lambda)^-1.
 */

import { factorInPlace, solveInPlace } from './cholesky.js'
import type { Matrix, ProductSum } from './matrix-products.js'

export interface Compensation {
  /** [outputs, unknowns]: removed places are zero. */
  readonly weights: Float32Array
  /** Squared error that stays, divided by the variance of the answer, over all outputs. */
  readonly error: number
}

/**
 * @param weights [outputs, unknowns] with the bias last
 * @param kept rising places of the unknowns that stay; the bias place among them
 */
export function compensate(
  weights: Matrix,
  moments: ProductSum,
  kept: readonly number[],
  ridge: number,
): Compensation {
  const { rows: outputs, columns: unknowns } = weights
  const size = kept.length
  const system = new Float64Array(size * size)
  let trace = 0
  for (let row = 0; row < size; row++) {
    const source = kept[row]! * unknowns
    for (let column = 0; column <= row; column++)
      system[row * size + column] = moments.data[source + kept[column]!]!
    trace += system[row * size + row]!
  }
  const lambda = Math.max((ridge * trace) / size, 1e-12)
  for (let row = 0; row < size; row++) system[row * size + row]! += lambda
  // What the removed places would have added, as correlations with the kept ones; solved for a change of W_K.
  const gone = removedPlaces(unknowns, kept)
  const sides = new Float64Array(size * outputs)
  for (let row = 0; row < size; row++) {
    const source = kept[row]! * unknowns
    for (const place of gone) {
      const moment = moments.data[source + place]!
      for (let output = 0; output < outputs; output++) {
        sides[row * outputs + output]! += moment * weights.data[output * unknowns + place]!
      }
    }
  }
  const correlations = sides.slice()
  const result = new Float32Array(outputs * unknowns)
  for (const place of kept) copyColumn(weights, place, result)
  const removedEnergy = energyOf(weights, moments, gone)
  let explained = 0
  if (factorInPlace(system, size)) {
    solveInPlace(system, size, sides, outputs)
    for (let row = 0; row < size; row++) {
      for (let output = 0; output < outputs; output++) {
        const change = sides[row * outputs + output]!
        result[output * unknowns + kept[row]!]! += change
        explained += change * correlations[row * outputs + output]!
      }
    }
  }
  return { weights: result, error: Math.max(0, removedEnergy - explained) / answerVariance(weights, moments) }
}

function removedPlaces(unknowns: number, kept: readonly number[]): number[] {
  const stays = new Set(kept)
  return Array.from({ length: unknowns }, (_, place) => place).filter((place) => !stays.has(place))
}

function copyColumn(weights: Matrix, place: number, result: Float32Array): void {
  for (let at = place; at < result.length; at += weights.columns) result[at] = weights.data[at]!
}

/** Sum over outputs of w M w^T, with only the given places of w. */
function energyOf(weights: Matrix, moments: ProductSum, places: readonly number[]): number {
  let energy = 0
  const row = new Float64Array(places.length)
  for (let left = 0; left < places.length; left++) {
    const source = places[left]! * weights.columns
    for (let right = 0; right < places.length; right++) row[right] = moments.data[source + places[right]!]!
    for (let output = 0; output < weights.rows; output++) {
      const base = output * weights.columns
      let sum = 0
      for (let right = 0; right < places.length; right++)
        sum += row[right]! * weights.data[base + places[right]!]!
      energy += sum * weights.data[base + places[left]!]!
    }
  }
  return energy
}

const variances = new WeakMap<Float32Array, number>()

/** Sum over outputs of the variance of w x, bias and mean taken out. */
export function answerVariance(weights: Matrix, moments: ProductSum): number {
  const known = variances.get(weights.data)
  if (known !== undefined) return known
  const n = weights.columns
  const all = Array.from({ length: n }, (_, place) => place)
  let squaredMeans = 0
  for (let output = 0; output < weights.rows; output++) {
    let mean = 0
    for (let at = 0; at < n; at++) mean += moments.data[(n - 1) * n + at]! * weights.data[output * n + at]!
    squaredMeans += mean * mean
  }
  const variance = Math.max(energyOf(weights, moments, all) - squaredMeans, 1e-12)
  variances.set(weights.data, variance)
  return variance
}
