/** Functions of numbers that several parts need. Invariant: each is defined once; none knows what its numbers mean. */

/** The logistic function: 0..1, 0.5 at 0. */
export function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value))
}

/** The nearest integer, of two equally near ones the even one: as Python, OpenCV and ONNX's QuantizeLinear round. */
export function roundHalfToEven(value: number): number {
  const rounded = Math.round(value)
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded
}

/** The value below which `share` (0..1) of `values` lie, by linear interpolation. `values` is not empty. */
export function quantileOf(values: readonly number[], share: number): number {
  return quantileOfSorted(
    values.toSorted((a, b) => a - b),
    share,
  )
}

/** The same of values that rise. */
export function quantileOfSorted(sorted: ArrayLike<number>, share: number): number {
  const position = share * (sorted.length - 1)
  const below = Math.floor(position)
  const low = sorted[below]!
  return low + (position - below) * ((sorted[below + 1] ?? low) - low)
}
