/**
 * Cholesky factorisation and inversion of symmetric positive definite systems, in float64.
 * Matrices are square, row-major, of size n * n; of those that come in only the lower triangle is read.
 * Invariant: the work is inner products of rows, taken by a kernel two rows by four; matrices of a few rows need no kernel.
 */

import { invariant } from '../../base/assert.js'
import { reserveMemory } from '../../base/web-assembly.js'
import { high, type MatrixKernels, matrixKernelsOn, numberBytes, wide } from './matrix-loops.js'

/** Replaces the lower triangle of a small `matrix` by L with L L^T = matrix. */
export function factorSmall(matrix: Float64Array, n: number): void {
  for (let row = 0; row < n; row++) {
    for (let column = 0; column <= row; column++) {
      let rest = matrix[row * n + column]!
      for (let k = 0; k < column; k++) rest -= matrix[row * n + k]! * matrix[column * n + k]!
      matrix[row * n + column] = column < row ? rest / matrix[column * n + column]! : root(rest)
    }
  }
}

/** With L L^T = `matrix`: the inverse of L, transposed. Row j holds column j of the inverse, zero before its diagonal. */
export function invertedTriangle(matrix: Float64Array, n: number): Float64Array {
  const work = new TriangleWork(matrix, n)
  work.factor()
  work.invert()
  return work.inverseColumns()
}

/** The inverse of `matrix`, both triangles. */
export function inverted(matrix: Float64Array, n: number): Float64Array {
  const work = new TriangleWork(matrix, n)
  work.factor()
  work.invert()
  return work.product()
}

function root(pivot: number): number {
  invariant(pivot > 0, 'the matrix is positive definite')
  return Math.sqrt(pivot)
}

/** A system of n unknowns, filled up to whole tiles by unknowns of their own, whose part of the factor is one. */
class TriangleWork {
  readonly #n: number
  /** Numbers a row, and rows. */
  readonly #size: number
  readonly #kernels: MatrixKernels
  /** L. */
  readonly #factor: Float64Array
  /** The inverse of L, transposed. */
  readonly #inverse: Float64Array
  /** Of one tile. */
  readonly #sums: Float64Array

  constructor(matrix: Float64Array, n: number) {
    this.#n = n
    this.#size = Math.ceil(n / wide) * wide
    const count = this.#size * this.#size
    const memory = reserveMemory((2 * count + high * wide) * numberBytes, `a system of ${n} unknowns`)
    this.#kernels = matrixKernelsOn(memory)
    const arrayAt = (first: number, length: number): Float64Array =>
      new Float64Array(memory.buffer, first * numberBytes, length)
    this.#factor = arrayAt(0, count)
    this.#inverse = arrayAt(count, count)
    this.#sums = arrayAt(2 * count, high * wide)
    for (let row = 0; row < n; row++)
      this.#factor.set(matrix.subarray(row * n, row * n + row + 1), row * this.#size)
    for (let row = n; row < this.#size; row++) this.#factor[row * this.#size + row] = 1
  }

  /** Left-looking: four columns after the other, each from what stands left of it. */
  factor(): void {
    for (let j = 0; j < this.#size; j += wide)
      for (let i = j; i < this.#size; i += high) {
        this.#multiply(this.#factor, i, this.#factor, j, { from: 0, to: j })
        for (let r = 0; r < high; r++) this.#factorRow(i + r, j, r * wide)
      }
  }

  /** Four columns of the inverse at a time, downwards. */
  invert(): void {
    for (let j = 0; j < this.#size; j += wide)
      for (let i = j; i < this.#size; i += high) {
        this.#multiply(this.#factor, i, this.#inverse, j, { from: j, to: i })
        for (let r = 0; r < high; r++) this.#invertRow(i, r, j)
      }
  }

  /** Columns j to j + 3 of a row of the factor; `first` is where its sums begin. */
  #factorRow(row: number, j: number, first: number): void {
    const factor = this.#factor
    const own = row * this.#size + j
    const columns = Math.min(wide, row + 1 - j)
    for (let c = 0; c < columns; c++) {
      const other = (j + c) * this.#size + j
      let rest = factor[own + c]! - this.#sums[first + c]!
      for (let k = 0; k < c; k++) rest -= factor[own + k]! * factor[other + k]!
      factor[own + c] = j + c < row ? rest / factor[other + c]! : root(rest)
    }
  }

  /** Row i + r of columns j to j + 3 of the inverse, after row i where r is 1. */
  #invertRow(i: number, r: number, j: number): void {
    const inverse = this.#inverse
    const row = i + r
    const own = row * this.#size
    const columns = Math.min(wide, row + 1 - j)
    for (let c = 0; c < columns; c++) {
      const column = (j + c) * this.#size
      let rest = (row === j + c ? 1 : 0) - this.#sums[r * wide + c]!
      if (r > 0) rest -= this.#factor[own + i]! * inverse[column + i]!
      inverse[column + row] = rest / this.#factor[own + row]!
    }
  }

  /** The inverse of L L^T: the inner products of the columns of the inverse of L. */
  product(): Float64Array {
    const [n, size, inverse, sums] = [this.#n, this.#size, this.#inverse, this.#sums]
    const result = new Float64Array(n * n)
    for (let i = 0; i < n; i += high) {
      for (let j = 0; j <= i + 1; j += wide) {
        this.#multiply(inverse, i, inverse, j, { from: i, to: size })
        for (let r = 0; r < high && i + r < n; r++)
          for (let c = 0; c < wide && j + c <= i + r; c++) {
            result[(i + r) * n + j + c] = sums[r * wide + c]!
            result[(j + c) * n + i + r] = sums[r * wide + c]!
          }
      }
    }
    return result
  }

  inverseColumns(): Float64Array {
    const result = new Float64Array(this.#n * this.#n)
    for (let row = 0; row < this.#n; row++) {
      const start = row * this.#size
      result.set(this.#inverse.subarray(start, start + this.#n), row * this.#n)
    }
    return result
  }

  /** Rows i and i + 1 of `left` times rows j to j + 3 of `right`, over the columns `from` to `to`; into the sums. */
  #multiply(
    left: Float64Array,
    i: number,
    right: Float64Array,
    j: number,
    { from, to }: { readonly from: number; readonly to: number },
  ): void {
    const address = (array: Float64Array, row: number): number =>
      array.byteOffset + (row * this.#size + from) * numberBytes
    this.#kernels.products(
      address(left, i),
      address(right, j),
      this.#size * numberBytes,
      (to - from) * numberBytes,
      this.#sums.byteOffset,
    )
  }
}
