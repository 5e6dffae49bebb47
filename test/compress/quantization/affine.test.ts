import t from 'tap'
import { roundHalfToEven } from '../../../src/base/numeric.js'
import { seededRandom } from '../../../src/base/random.js'
import {
  activationU8,
  affineParams,
  coveredRange,
  dequantizeValue,
  quantizeValue,
  rangeOf,
  unionOf,
  weightFormat,
} from '../../../src/compress/quantization/affine.js'

t.test('halves round to the even integer', (t) => {
  t.same([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 2.4, -2.6].map(roundHalfToEven), [0, 2, 2, -0, -2, -2, 2, -3])
  t.end()
})

t.test('linear n-bit quantisation is the min-max formula', (t) => {
  for (let bits = 2; bits <= 16; bits++) {
    const format = { bits, symmetric: false, signed: false, narrow: false }
    const params = affineParams(-1, 3, format)
    const steps = 2 ** bits - 1
    t.equal(params.scale, Math.fround(4 / steps), `${bits} bits: S = (max - min) / (2^n - 1)`)
    t.equal(params.zeroPoint, roundHalfToEven(1 / params.scale), `${bits} bits: Z = round(-min / S)`)
    t.equal(quantizeValue(3.5, params), steps)
    t.equal(quantizeValue(-9, params), 0)
  }
  t.end()
})

t.test('symmetric quantisation has zero point 0 and mirrors', (t) => {
  for (let bits = 2; bits <= 16; bits++) {
    const params = affineParams(-2, 1, weightFormat(bits))
    t.equal(params.zeroPoint, 0)
    t.equal(params.scale, Math.fround(2 / (2 ** (bits - 1) - 1)))
    t.equal(quantizeValue(-2, params), -quantizeValue(2, params))
    t.equal(params.low, -params.high)
  }
  t.end()
})

t.test('whatever the range, zero is exact and values come back within half a step', (t) => {
  const random = seededRandom(7)
  let worst = 0
  for (let round = 0; round < 2000; round++) {
    const format = {
      bits: 2 + random.integer(15),
      symmetric: random.next() < 0.5,
      signed: random.next() < 0.5,
      narrow: random.next() < 0.5,
    }
    const min = random.normal() * 10 ** (random.integer(9) - 4)
    const max = min + Math.abs(random.normal()) * 10 ** (random.integer(9) - 4)
    const params = affineParams(min, max, format)
    if (dequantizeValue(quantizeValue(0, params), params) !== 0)
      t.fail(`zero moved in ${JSON.stringify(params)}`)
    const covered = coveredRange(params)
    const value = Math.max(covered.min, Math.min(covered.max, min + random.next() * (max - min)))
    const error = Math.abs(dequantizeValue(quantizeValue(value, params), params) - value) / params.scale
    worst = Math.max(worst, error)
  }
  t.ok(worst <= 0.5 + 1e-6, `worst error ${worst} steps`)
  t.end()
})

t.test('integers survive the way out and back', (t) => {
  const params = affineParams(-0.2785, 11.7, activationU8)
  for (let integer = 0; integer <= 255; integer++) {
    if (quantizeValue(dequantizeValue(integer, params), params) !== integer) t.fail(`integer ${integer}`)
  }
  t.pass('all 256')
  t.end()
})

t.test('a range of no width gets scale 1, one outside 2..16 bits is refused', (t) => {
  t.same(affineParams(0, 0, activationU8), { scale: 1, zeroPoint: 0, low: 0, high: 255 })
  t.throws(() => affineParams(0, 1, { ...activationU8, bits: 17 }), { code: 'internal.invariant_broken' })
  t.throws(() => affineParams(0, Infinity, activationU8), { code: 'internal.invariant_broken' })
  t.end()
})

t.test('ranges of values and of ranges', (t) => {
  t.same(rangeOf(Float32Array.of(3, -1, 2)), { min: -1, max: 3 })
  t.same(rangeOf(new Float32Array()), { min: 0, max: 0 })
  t.same(
    unionOf([
      { min: 0, max: 1 },
      { min: -1, max: 0 },
    ]),
    { min: -1, max: 1 },
  )
  t.end()
})
