/**
 * Cholesky factorisation and inversion of symmetric positive definite systems, in float64.
 * Matrices are square, row-major, of size n * n. Invariant: only the lower triangle is read and written.
 */

/**
 * Replaces the lower triangle of `matrix` by L with L L^T = matrix. Two rows against two columns at a time, so that
 * each loaded number is used twice.
 * @returns false when the matrix is not positive definite (the triangle is then half written)
 */
export function factorInPlace(matrix: Float64Array, n: number): boolean {
  for (let j = 0; j < n; j += 2) {
    const width = Math.min(2, n - j)
    if (!factorDiagonal(matrix, n, j, width)) return false
    let i = j + width
    if (width === 2) {
      for (; i + 1 < n; i += 2) solveTile(matrix, n, i, j)
    }
    for (; i < n; i++) {
      for (let column = j; column < j + width; column++) {
        const at = i * n + column
        matrix[at] = (matrix[at]! - dot(matrix, i * n, column * n, column)) / matrix[column * n + column]!
      }
    }
  }
  return true
}

function factorDiagonal(matrix: Float64Array, n: number, j: number, width: number): boolean {
  for (let row = j; row < j + width; row++) {
    for (let column = j; column <= row; column++) {
      const rest = matrix[row * n + column]! - dot(matrix, row * n, column * n, column)
      if (column < row) matrix[row * n + column] = rest / matrix[column * n + column]!
      else if (rest > 0) matrix[row * n + row] = Math.sqrt(rest)
      else return false
    }
  }
  return true
}

/** Two rows i, i+1 against the two factored rows j, j+1. */
function solveTile(matrix: Float64Array, n: number, i: number, j: number): void {
  const [r0, r1, c0, c1] = [i * n, (i + 1) * n, j * n, (j + 1) * n]
  let s00 = 0
  let s01 = 0
  let s10 = 0
  let s11 = 0
  for (let k = 0; k < j; k++) {
    const a0 = matrix[r0 + k]!
    const a1 = matrix[r1 + k]!
    const b0 = matrix[c0 + k]!
    const b1 = matrix[c1 + k]!
    s00 += a0 * b0
    s01 += a0 * b1
    s10 += a1 * b0
    s11 += a1 * b1
  }
  const d0 = matrix[c0 + j]!
  const cross = matrix[c1 + j]!
  const d1 = matrix[c1 + j + 1]!
  const x0 = (matrix[r0 + j]! - s00) / d0
  const x1 = (matrix[r1 + j]! - s10) / d0
  matrix[r0 + j] = x0
  matrix[r1 + j] = x1
  matrix[r0 + j + 1] = (matrix[r0 + j + 1]! - s01 - x0 * cross) / d1
  matrix[r1 + j + 1] = (matrix[r1 + j + 1]! - s11 - x1 * cross) / d1
}

function dot(matrix: Float64Array, left: number, right: number, length: number): number {
  let sum = 0
  for (let k = 0; k < length; k++) sum += matrix[left + k]! * matrix[right + k]!
  return sum
}

/**
 * The inverse of L, transposed: row j holds column j of the inverse, zero before its diagonal. Four columns at a time, so that each
 * number of L is used four times.
 */
export function invertTriangle(factor: Float64Array, n: number): Float64Array {
  const columns = new Float64Array(n * n)
  for (let j = 0; j < n; j += 4) {
    const width = Math.min(4, n - j)
    const [x0, x1, x2, x3] = fourRows(j, width, n)
    for (let i = j; i < n; i++) {
      let [s0, s1, s2, s3] = [0, 0, 0, 0]
      const row = i * n
      for (let k = j; k < i; k++) {
        const value = factor[row + k]!
        s0 += value * columns[x0 + k]!
        s1 += value * columns[x1 + k]!
        s2 += value * columns[x2 + k]!
        s3 += value * columns[x3 + k]!
      }
      const diagonal = factor[row + i]!
      const sums = [s0, s1, s2, s3]
      for (let at = 0; at < width; at++) {
        if (j + at > i) break
        columns[(j + at) * n + i] = ((j + at === i ? 1 : 0) - sums[at]!) / diagonal
      }
    }
  }
  return columns
}

/** The inverse of L L^T, both triangles. */
export function invertFactor(factor: Float64Array, n: number): Float64Array {
  const columns = invertTriangle(factor, n)
  const inverse = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    const own = i * n
    for (let j = 0; j <= i; j += 4) {
      const width = Math.min(4, i + 1 - j)
      const [y0, y1, y2, y3] = fourRows(j, width, n)
      let [s0, s1, s2, s3] = [0, 0, 0, 0]
      for (let k = i; k < n; k++) {
        const value = columns[own + k]!
        s0 += value * columns[y0 + k]!
        s1 += value * columns[y1 + k]!
        s2 += value * columns[y2 + k]!
        s3 += value * columns[y3 + k]!
      }
      const sums = [s0, s1, s2, s3]
      for (let at = 0; at < width; at++) {
        inverse[own + j + at] = sums[at]!
        inverse[(j + at) * n + i] = sums[at]!
      }
    }
  }
  return inverse
}

/** Where the rows from `first` on begin; a row that is not there is the last of the `width` ones once more. */
function fourRows(first: number, width: number, n: number): readonly [number, number, number, number] {
  const start = (at: number): number => (first + Math.min(at, width - 1)) * n
  return [start(0), start(1), start(2), start(3)]
}
