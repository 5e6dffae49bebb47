/** The kernels of matrix-kernels.wat as this folder calls them. Invariant: addresses, strides and counts are in bytes. */

import { kernelsOf } from '../../base/web-assembly.js'
import { matrixKernels } from './matrix-kernels.js'

export const numberBytes = 8

/** Rows of one tile of `products`: of the one side, of the other. */
export const [high, wide] = [2, 4] as const

/** `subtract` takes so many numbers at a time. */
export const lanes = 8

export interface MatrixKernels {
  /** The inner products of `high` rows from `a` with `wide` rows from `b`, all `stride` apart, over whole pairs of numbers; to `out`. */
  products(a: number, b: number, stride: number, count: number, out: number): void
  /** Takes each source times its factor from a row of whole lanes. */
  subtract(
    row: number,
    count: number,
    sources: number,
    stride: number,
    factors: number,
    factorsEnd: number,
  ): void
}

export const matrixKernelsOn = kernelsOf<MatrixKernels>(matrixKernels)
