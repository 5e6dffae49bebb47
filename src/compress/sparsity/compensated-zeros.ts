/**
 * Zeros with compensation: columns of a weight are fixed one after the other; what a zero takes away is given to the
 * columns that are still free, as the second moments of the input say (SparseGPT, Frantar and Alistarh 2023, with
 * optimal brain surgeon scores w^2 / [H^-1]_jj^2).
 * Invariant: the asked part of each row block, or n of each m, is exactly zero; the rest is re-fitted.
 */

import { invertedTriangle } from '../restoration/cholesky.js'
import type { Matrix, ProductSum } from '../restoration/matrix-products.js'
import { lowestOf } from './choose-zeros.js'

/** Columns whose zeros are chosen together. */
const blockColumns = 128

/**
 * @param weights [outputs, unknowns], bias last (never zeroed)
 * @param sparsity part of the weights to zero
 * @returns the new weights; zeros are exact
 */
export function compensatedZeros(
  weights: Matrix,
  moments: ProductSum,
  sparsity: number,
  ridge: number,
): Float32Array {
  const { rows: outputs, columns: n } = weights
  const upper = inverseFactor(moments, ridge)
  const result = Float64Array.from(weights.data)
  for (let first = 0; first < n - 1; first += blockColumns) {
    const end = Math.min(n - 1, first + blockColumns)
    const mask = blockMask(result, upper, { outputs, n, first, end }, sparsity)
    for (let column = first; column < end; column++) {
      const pivot = upper[column * n + column]!
      for (let output = 0; output < outputs; output++) {
        if (mask[output * (end - first) + column - first] !== 1) continue
        const base = output * n
        const error = result[base + column]! / pivot
        for (let later = column; later < n; later++)
          result[base + later]! -= error * upper[column * n + later]!
        result[base + column] = 0
      }
    }
  }
  return Float32Array.from(result)
}

function blockMask(
  weights: Float64Array,
  upper: Float64Array,
  {
    outputs,
    n,
    first,
    end,
  }: { readonly outputs: number; readonly n: number; readonly first: number; readonly end: number },
  sparsity: number,
): Uint8Array {
  const width = end - first
  const scores = new Float32Array(outputs * width)
  for (let output = 0; output < outputs; output++) {
    for (let column = first; column < end; column++) {
      const pivot = upper[column * n + column]!
      scores[output * width + column - first] = (weights[output * n + column]! / pivot) ** 2
    }
  }
  return lowestOf([scores], Math.round(sparsity * scores.length))[0]!
}

/**
 * The upper triangular U with U^T U = (M + lambda)^-1; lambda is `ridge` of the mean diagonal. With rows and columns in
 * reverse the factor L of the matrix is a factor R R^T from the other end, whose inverse is U.
 */
export function inverseFactor(moments: ProductSum, ridge: number): Float64Array {
  const n = moments.rows
  const { data } = moments
  let trace = 0
  for (let at = 0; at < n; at++) trace += data[at * n + at]!
  const lambda = Math.max((ridge * trace) / n, 1e-9)
  const last = n - 1
  const reversed = new Float64Array(n * n)
  for (let row = 0; row < n; row++) {
    for (let column = 0; column <= row; column++)
      reversed[row * n + column] = data[(last - column) * n + last - row]!
    reversed[row * n + row]! += lambda
  }
  const columns = invertedTriangle(reversed, n)
  const upper = new Float64Array(n * n)
  for (let row = 0; row < n; row++)
    for (let column = row; column < n; column++)
      upper[row * n + column] = columns[(last - column) * n + last - row]!
  return upper
}
