/**
 * How a range is chosen from a histogram of observed values.
 * Invariant: the chosen range lies inside the observed one (widened to hold 0) and holds 0.
 */

import { type AffineFormat, affineParams, type Range } from '../affine.js'
import { binCount, type ValueHistogram } from './value-histogram.js'

/** `silu` also looks through the activation behind a convolution; for any other value it is `mse`. */
export const calibrationMethods = ['min-max', 'percentile', 'entropy', 'mse', 'silu'] as const
export type CalibrationMethod = (typeof calibrationMethods)[number]

/** The share of values that `percentile` keeps. */
export const keptShare = 0.99999

/** Error search never clips below this share of the observed range: rare large activations carry the objects. */
export const clipFloor = 0.5

/** The range `method` chooses for values quantised to `format`. */
export function chooseRange(
  histogram: ValueHistogram,
  method: CalibrationMethod,
  format: AffineFormat,
): Range {
  switch (method) {
    case 'min-max':
      return holdingZero(histogram.range)
    case 'percentile':
      return percentileRange(histogram, keptShare)
    case 'entropy':
      return entropyRange(histogram, format)
    case 'mse':
    case 'silu':
      return mseRange(histogram, format)
  }
}

function holdingZero(range: Range): Range {
  return { min: Math.min(0, range.min), max: Math.max(0, range.max) }
}

/** The narrowest range that leaves at most (1 - share) / 2 of the values out at each end. */
export function percentileRange(histogram: ValueHistogram, share: number): Range {
  const tail = (histogram.count * (1 - share)) / 2
  let below = 0
  let first = 0
  while (first < binCount - 1 && below + histogram.bins[first]! <= tail) below += histogram.bins[first++]!
  let above = 0
  let last = binCount - 1
  while (last > 0 && above + histogram.bins[last]! <= tail) above += histogram.bins[last--]!
  const { min, max } = histogram.range
  return holdingZero({
    min: Math.max(min, histogram.center(first)),
    max: Math.min(max, histogram.center(last)),
  })
}

/** The bins that hold something, as parallel arrays: scans over them are the cost of every search. */
export function occupiedBins(histogram: ValueHistogram): { values: Float64Array; weights: Float64Array } {
  const occupied: number[] = []
  for (let index = 0; index < binCount; index++) if (histogram.bins[index]! > 0) occupied.push(index)
  const { min, max } = histogram.range
  return {
    values: Float64Array.from(occupied, (index) => Math.min(max, Math.max(min, histogram.center(index)))),
    weights: Float64Array.from(occupied, (index) => histogram.bins[index]!),
  }
}

/** Shares of the observed range that a search tries, from all of it down to `clipFloor`. */
export function clipShares(floor = clipFloor): readonly number[] {
  const shares: number[] = []
  for (let share = 1; share > floor - 1e-9; share -= 0.025) shares.push(share)
  return shares
}

/** Shrinks each end on its own to the least expected squared rounding and clipping error. */
function mseRange(histogram: ValueHistogram, format: AffineFormat): Range {
  const { values, weights } = occupiedBins(histogram)
  const observed = holdingZero(histogram.range)
  let best = observed
  for (const end of ['max', 'min'] as const) {
    let least = Infinity
    let chosen = best
    for (const share of clipShares()) {
      const candidate = { ...best, [end]: observed[end] * share }
      const error = squaredError(values, weights, candidate, format)
      if (error < least) {
        least = error
        chosen = candidate
      }
    }
    best = chosen
  }
  return best
}

function squaredError(
  values: Float64Array,
  weights: Float64Array,
  range: Range,
  format: AffineFormat,
): number {
  const { scale, zeroPoint, low, high } = affineParams(range.min, range.max, format)
  let sum = 0
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!
    const integer = Math.min(high, Math.max(low, Math.round(value / scale) + zeroPoint))
    const error = (integer - zeroPoint) * scale - value
    sum += weights[index]! * error * error
  }
  return sum
}

const entropyBins = 2048

/**
 * The threshold on |x| whose quantised distribution is nearest to the clipped one in Kullback-Leibler divergence
 * (Migacz, 8-bit inference with TensorRT, 2017), over 2048 bins of |x|.
 */
function entropyRange(histogram: ValueHistogram, format: AffineFormat): Range {
  const observed = holdingZero(histogram.range)
  const reach = Math.max(-observed.min, observed.max)
  if (reach === 0) return observed
  const bins = magnitudes(histogram, reach)
  const levels = 2 ** (format.bits - 1)
  let least = Infinity
  let threshold = reach
  for (let kept = levels; kept <= entropyBins; kept += 8) {
    const divergence = divergenceOf(bins, kept, levels)
    if (divergence < least) {
      least = divergence
      threshold = (kept / entropyBins) * reach
    }
  }
  return { min: Math.max(observed.min, -threshold), max: Math.min(observed.max, threshold) }
}

function magnitudes(histogram: ValueHistogram, reach: number): Float64Array {
  const bins = new Float64Array(entropyBins)
  const { values, weights } = occupiedBins(histogram)
  for (let index = 0; index < values.length; index++) {
    const bin = Math.floor((Math.abs(values[index]!) / reach) * entropyBins)
    bins[Math.min(entropyBins - 1, bin)]! += weights[index]!
  }
  return bins
}

function divergenceOf(bins: Float64Array, kept: number, levels: number): number {
  const reference = bins.slice(0, kept)
  for (let index = kept; index < bins.length; index++) reference[kept - 1]! += bins[index]!
  const quantised = new Float64Array(kept)
  for (let level = 0; level < levels; level++) {
    const start = Math.floor((level * kept) / levels)
    const end = Math.floor(((level + 1) * kept) / levels)
    let sum = 0
    let occupied = 0
    for (let index = start; index < end; index++) {
      sum += bins[index]!
      if (reference[index]! > 0) occupied++
    }
    for (let index = start; index < end; index++) {
      if (reference[index]! > 0) quantised[index] = sum / occupied
    }
  }
  return klDivergence(reference, quantised)
}

function klDivergence(reference: Float64Array, quantised: Float64Array): number {
  const total = reference.reduce((sum, value) => sum + value, 0)
  const quantisedTotal = quantised.reduce((sum, value) => sum + value, 0)
  if (total === 0 || quantisedTotal === 0) return Infinity
  let divergence = 0
  for (let index = 0; index < reference.length; index++) {
    const p = reference[index]! / total
    if (p > 0) divergence += p * Math.log(p / Math.max(quantised[index]! / quantisedTotal, 1e-12))
  }
  return divergence
}
