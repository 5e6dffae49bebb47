/**
 * Half floats (IEEE 754 binary16) as bits.
 * Invariant: to half: rounded to the nearest, ties to even, too large becomes infinite; back: exact, for every half float.
 */

import { roundHalfToEven } from '../base/numeric.js'
import { elementCount, type FloatTensor, floatTensor, type Tensor } from './tensor.js'

const word = new Float32Array(1)
const bitsOfWord = new Uint32Array(word.buffer)

/** The bits of `value` as a half float. */
export function halfFromFloat(value: number): number {
  word[0] = value
  const bits = bitsOfWord[0]!
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00
  if (magnitude >= 0x47800000) return sign | 0x7c00
  if (magnitude < 0x38800000) {
    // Below 2^-14 a half counts in steps of 2^-24.
    word[0] = Math.abs(value) * 2 ** 24
    return sign | roundHalfToEven(word[0])
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1)
  return sign | ((rounded - 0x38000000) >>> 13)
}

/** `tensor` in half precision. */
export function halfTensor({ dims, data }: FloatTensor): Tensor {
  const bits = new Uint16Array(elementCount(dims))
  for (let at = 0; at < bits.length; at++) bits[at] = halfFromFloat(data[at]!)
  return { type: 'float16', dims, data: bits }
}

/** The value of the half float with `bits`. */
export function floatFromHalf(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1
  const exponent = (bits >>> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15))
}

/** `tensor` in single precision, value for value. */
export function floatTensorOf({ dims, data }: Extract<Tensor, { readonly type: 'float16' }>): FloatTensor {
  return floatTensor(dims, Float32Array.from(data, floatFromHalf))
}
