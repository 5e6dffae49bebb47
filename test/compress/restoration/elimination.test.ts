import t from 'tap'

import { seededRandom } from '../../../src/base/random.js'
import { inverted } from '../../../src/compress/restoration/cholesky.js'
import { Elimination } from '../../../src/compress/restoration/elimination.js'
import { type Matrix, ProductSum } from '../../../src/compress/restoration/matrix-products.js'

/** Second moments of correlated unknowns; the last is the constant 1. */
function moments(n: number, seed: number): ProductSum {
  const random = seededRandom(seed)
  const sum = new ProductSum(n, n)
  for (let sample = 0; sample < 40 * n; sample++) {
    const common = random.normal()
    const x = Array.from({ length: n }, (_, at) =>
      at === n - 1 ? 1 : common + random.normal() * (1 + at / n),
    )
    for (let row = 0; row < n; row++)
      for (let column = 0; column < n; column++)
        sum.data[row * n + column]! += (x[row]! * x[column]!) / (40 * n)
  }
  return sum
}

/** The least error that weights over `kept` leave: y M y - b M_KK^-1 b, solved anew. */
function leastError(weights: Float32Array, { data, rows: n }: ProductSum, kept: readonly number[]): number {
  const size = kept.length
  const system = Float64Array.from({ length: size * size }, (_, at) => {
    return data[kept[Math.floor(at / size)]! * n + kept[at % size]!]!
  })
  const right = kept.map((row) => weights.reduce((sum, weight, at) => sum + weight * data[row * n + at]!, 0))
  const inverse = inverted(system, size)
  let energy = 0
  weights.forEach((left, row) => {
    weights.forEach((other, column) => (energy += left * other * data[row * n + column]!))
  })
  right.forEach((left, row) => {
    right.forEach((other, column) => (energy -= left * other * inverse[row * size + column]!))
  })
  return energy
}

/** Sum over outputs of the variance of w x; the last unknown is the constant 1. */
function answerVariance({ rows, columns: n, data }: Matrix, moments: ProductSum): number {
  let variance = 0
  for (let output = 0; output < rows; output++) {
    const w = [...data.subarray(output * n, (output + 1) * n)]
    w.forEach((left, row) => {
      w.forEach((other, column) => (variance += left * other * moments.data[row * n + column]!))
    })
    variance -= w.reduce((sum, weight, at) => sum + weight * moments.data[(n - 1) * n + at]!, 0) ** 2
  }
  return variance
}

t.test('costs add up to the least error that the kept places leave, whatever goes', (t) => {
  const n = 13
  const random = seededRandom(8)
  const sums = moments(n, 8)
  const weights = { rows: 1, columns: n, data: Float32Array.from({ length: n }, () => random.normal()) }
  const variance = answerVariance(weights, sums)
  const elimination = new Elimination(weights, sums, 1e-9)
  const kept = new Set(Array.from({ length: n }, (_, at) => at))
  let total = 0
  for (const places of [[3], [7, 8, 9], [0], [11, 1]]) {
    total += elimination.cost(places)
    elimination.remove(places)
    for (const place of places) kept.delete(place)
    const expected = leastError(weights.data, sums, [...kept]) / variance
    t.ok(Math.abs(total - expected) < 1e-5 * (1 + expected), `${total} against ${expected}`)
  }
  t.end()
})

t.test('several outputs, and more places at once than a kernel takes', (t) => {
  const [n, outputs] = [45, 11]
  const random = seededRandom(9)
  const sums = moments(n, 9)
  const data = Float32Array.from({ length: n * outputs }, () => random.normal())
  const weights = { rows: outputs, columns: n, data }
  const variance = answerVariance(weights, sums)
  const elimination = new Elimination(weights, sums, 1e-9)
  const kept = new Set(Array.from({ length: n }, (_, at) => at))
  let total = 0
  for (const places of [
    [4, 5, 6],
    Array.from({ length: 20 }, (_, at) => 2 * at + 7 - (at > 15 ? 29 : 0)),
    [30],
  ]) {
    const going = places.filter((place) => kept.has(place))
    total += elimination.cost(going)
    elimination.remove(going)
    for (const place of going) kept.delete(place)
    let expected = 0
    for (let output = 0; output < outputs; output++)
      expected += leastError(data.subarray(output * n, (output + 1) * n), sums, [...kept]) / variance
    t.ok(Math.abs(total - expected) < 1e-5 * (1 + expected), `${total} against ${expected}`)
  }
  t.end()
})
