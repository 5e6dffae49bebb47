import t from 'tap'
import { quantileOf, quantileOfSorted, roundHalfToEven, sigmoid } from '../../src/base/numeric.js'

t.test('the logistic function', (t) => {
  t.equal(sigmoid(0), 0.5)
  t.ok(Math.abs(sigmoid(Math.log(3)) - 0.75) < 1e-15)
  t.same([sigmoid(-Infinity), sigmoid(Infinity)], [0, 1])
  t.end()
})

t.test('halves go to the even neighbor, everything else to the nearest', (t) => {
  for (const [value, rounded] of [
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [-0.5, 0],
    [-1.5, -2],
    [-2.5, -2],
    [0.49999999999999994, 0],
    [2.4, 2],
    [2.6, 3],
    [-2.6, -3],
    [7, 7],
  ] as const)
    t.ok(roundHalfToEven(value) === rounded, `${value} becomes ${rounded}`)
  t.end()
})

t.test('quantiles lie between the two nearest values', (t) => {
  t.equal(quantileOf([4], 0.9), 4)
  t.equal(quantileOf([30, 10, 20], 0.5), 20)
  t.equal(quantileOf([10, 20], 0.25), 12.5)
  t.equal(quantileOf([1, 2, 3, 4, 5], 1), 5)
  t.equal(quantileOf([1, 2, 3, 4, 5], 0), 1)
  t.equal(quantileOfSorted(Float64Array.of(0, 10, 20), 0.75), 15)
  const values = [3, 1, 2]
  quantileOf(values, 0.5)
  t.same(values, [3, 1, 2], 'what is given stays in its order')
  t.end()
})
