import t from 'tap'
import { seededRandom } from '../../../src/base/random.js'
import { factorSmall, inverted, invertedTriangle } from '../../../src/compress/restoration/cholesky.js'

/** A positive definite matrix; what stands above the diagonal must not be read. */
function positive(n: number, seed: number): { full: Float64Array; lower: Float64Array } {
  const random = seededRandom(seed)
  const samples = Array.from({ length: 2 * n }, () => Array.from({ length: n }, () => random.normal()))
  const full = Float64Array.from({ length: n * n }, (_, at) =>
    samples.reduce((sum, x) => sum + x[Math.floor(at / n)]! * x[at % n]!, at % (n + 1) === 0 ? 0.1 : 0),
  )
  const lower = full.map((value, at) => (at % n > Math.floor(at / n) ? Number.NaN : value))
  return { full, lower }
}

/** The largest difference between `left` times `right` and one. */
function farFromOne(n: number, product: (row: number, column: number, at: number) => number): number {
  let worst = 0
  for (let row = 0; row < n; row++) {
    for (let column = 0; column < n; column++) {
      let sum = 0
      for (let at = 0; at < n; at++) sum += product(row, column, at)
      worst = Math.max(worst, Math.abs(sum - (row === column ? 1 : 0)))
    }
  }
  return worst
}

const sizes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 63, 130]

t.test('a matrix times its inverse is one', (t) => {
  for (const n of sizes) {
    const { full, lower } = positive(n, n)
    const inverse = inverted(lower, n)
    const worst = farFromOne(n, (row, column, at) => inverse[row * n + at]! * full[at * n + column]!)
    t.ok(worst < 1e-9, `${n}: ${worst}`)
  }
  t.end()
})

t.test('the inverted triangle is that of the factor', (t) => {
  for (const n of sizes) {
    const { lower } = positive(n, n)
    const columns = invertedTriangle(lower, n)
    const factor = lower.slice()
    factorSmall(factor, n)
    const at = (row: number, column: number): number => (column > row ? 0 : factor[row * n + column]!)
    const worst = farFromOne(n, (row, column, k) => at(row, k) * columns[column * n + k]!)
    t.ok(worst < 1e-9, `${n}: ${worst}`)
    for (let column = 0; column < n; column++)
      for (let row = 0; row < column; row++) if (columns[column * n + row] !== 0) t.fail(`${column} ${row}`)
  }
  t.end()
})

t.test('a matrix that is not positive definite breaks an invariant', (t) => {
  const matrix = Float64Array.of(1, 2, 2, 1)
  t.throws(() => inverted(matrix, 2), { code: 'internal.invariant_broken' })
  t.throws(
    () => {
      factorSmall(matrix.slice(), 2)
    },
    { code: 'internal.invariant_broken' },
  )
  t.end()
})
