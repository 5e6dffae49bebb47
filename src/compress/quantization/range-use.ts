/**
 * How the integers of a model suit what was seen on the calibration pictures: what left their range, and how much of it nothing used.
 * Invariant: counts the pictures of the user alone; drawn ones, which only choose ranges, tell nothing of them.
 */

import type { ValueName } from '../../onnx/graph.js'
import type { AffineParams } from './affine.js'
import type { ValueHistogram } from './calibration/value-histogram.js'

/** How one quantized value was exercised. */
export interface RangeUse {
  readonly value: ValueName
  /** Share of the values seen that lie more than a step outside the range, 0..1: they are saturated. */
  readonly saturated: number
  /** Share of the range that was seen, from the smallest to the largest value, 0..1. */
  readonly used: number
}

/** A value that used less of its range than this was hardly exercised by the pictures. */
export const exercisedMin = 0.25

/** What was seen of each value that has both a histogram and integers, in the order of `scales`. */
export function rangeUses(
  histograms: ReadonlyMap<ValueName, ValueHistogram>,
  scales: ReadonlyMap<ValueName, AffineParams>,
): readonly RangeUse[] {
  return [...scales].flatMap(([value, params]) => {
    const histogram = histograms.get(value)
    return histogram === undefined || histogram.count === 0 ? [] : [useOf(value, histogram, params)]
  })
}

function useOf(
  value: ValueName,
  histogram: ValueHistogram,
  { scale, zeroPoint, low, high }: AffineParams,
): RangeUse {
  const [bottom, top] = [(low - zeroPoint) * scale, (high - zeroPoint) * scale]
  let outside = 0
  for (let bin = 0; bin < histogram.bins.length; bin++) {
    const weight = histogram.bins[bin]!
    if (weight === 0) continue
    const center = histogram.center(bin)
    if (center < bottom - scale || center > top + scale) outside += weight
  }
  const { min, max } = histogram.range
  const seen = Math.max(0, Math.min(top, max) - Math.max(bottom, min))
  return {
    value,
    saturated: outside / histogram.count,
    used: top === bottom ? 1 : Math.min(1, seen / (top - bottom)),
  }
}
