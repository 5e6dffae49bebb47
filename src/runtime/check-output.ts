/**
 * Finds outputs that are not numbers, which decoding would take for a picture without objects.
 * Invariant: every element is looked at once in `stride` frames, so the price per frame stays far below a millisecond.
 */

/**
 * Whether the elements first, first + stride, ... of `values` are all finite.
 * A difference of a value with itself is 0 for every number, and not a number for NaN and the infinities.
 */
export function isFiniteEvery(values: Float32Array, first: number, stride: number): boolean {
  let sum = 0
  for (let index = first; index < values.length; index += stride) sum += values[index]! - values[index]!
  return sum === 0
}
