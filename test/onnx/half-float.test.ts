import t from 'tap'
import { floatFromHalf, floatTensorOf, halfFromFloat, halfTensor } from '../../src/onnx/half-float.js'
import { floatTensor } from '../../src/onnx/tensor.js'

/** The value of half float bits, by the definition. */
function valueOf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15))
}

t.test('every half float comes back as itself', (t) => {
  let wrong = 0
  for (let bits = 0; bits < 0x10000; bits++) {
    const value = valueOf(bits)
    if (!Number.isNaN(value) && halfFromFloat(value) !== bits) wrong++
    if (!Object.is(floatFromHalf(bits), value)) wrong++
  }
  t.equal(wrong, 0)
  t.ok(Number.isNaN(valueOf(halfFromFloat(Number.NaN))))
  t.end()
})

t.test('between two halves the nearest is taken, and of a tie the even one', (t) => {
  let wrong = 0
  for (let bits = 0; bits < 0x7bff; bits++) {
    const [low, high] = [valueOf(bits), valueOf(bits + 1)]
    const even = bits % 2 === 0 ? bits : bits + 1
    if (halfFromFloat((low + high) / 2) !== even) wrong++
    if (halfFromFloat(low + (high - low) * 0.25) !== bits) wrong++
    if (halfFromFloat(-(low + (high - low) * 0.75)) !== bits + 1 + 0x8000) wrong++
  }
  t.equal(wrong, 0)
  t.equal(valueOf(halfFromFloat(65519)), 65504)
  t.equal(valueOf(halfFromFloat(65520)), Infinity)
  t.equal(valueOf(halfFromFloat(-1e30)), -Infinity)
  t.end()
})

t.test('a tensor keeps its dimensions', (t) => {
  t.same(halfTensor(floatTensor([1, 2], [1, -2])), {
    type: 'float16',
    dims: [1, 2],
    data: Uint16Array.from([0x3c00, 0xc000]),
  })
  t.same(floatTensorOf({ type: 'float16', dims: [3], data: Uint16Array.of(0x3c00, 0xc000, 1) }), {
    type: 'float32',
    dims: [3],
    data: Float32Array.of(1, -2, 2 ** -24),
  })
  t.end()
})
