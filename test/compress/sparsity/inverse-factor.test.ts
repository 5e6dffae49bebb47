import t from 'tap'
import { seededRandom } from '../../../src/base/random.js'
import { ProductSum } from '../../../src/compress/restoration/matrix-products.js'
import { inverseFactor } from '../../../src/compress/sparsity/compensated-zeros.js'

for (const n of [1, 2, 5, 8, 19]) {
  t.test(`U^T U is the inverse of ${n} x ${n} moments with their ridge`, (t) => {
    const random = seededRandom(n)
    const samples = Array.from({ length: 3 * n }, () => Array.from({ length: n }, () => random.normal()))
    const moments = new ProductSum(n, n)
    const { data } = moments
    for (const sample of samples)
      for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) data[i * n + j]! += sample[i]! * sample[j]!
    const ridge = 0.01
    const upper = inverseFactor(moments, ridge)
    let trace = 0
    for (let at = 0; at < n; at++) trace += data[at * n + at]!
    for (let at = 0; at < n; at++) data[at * n + at]! += (ridge * trace) / n
    for (let row = 0; row < n; row++)
      for (let column = 0; column < n; column++) {
        if (column < row) t.equal(upper[row * n + column], 0)
        // (U^T U M)[row, column] is the identity.
        let sum = 0
        for (let k = 0; k < n; k++)
          for (let m = 0; m < n; m++) sum += upper[k * n + row]! * upper[k * n + m]! * data[m * n + column]!
        t.ok(Math.abs(sum - (row === column ? 1 : 0)) < 1e-9, `${row}, ${column}: ${sum}`)
      }
    t.end()
  })
}
