/**
 * Ranges for the pair convolution -> SiLU, chosen by the error behind the activation.
 * Why: SiLU(x) = x * sigmoid(x) is all but 0 below -6, so the convolution's long negative tail (down to -140 in
 * YOLOv8n) needs no steps; and its minimum is a constant, so the output's lower end is known without data.
 * Invariant: both ranges hold 0, and the error is that of the very integer operators of ONNX Runtime
 * (QLinearSigmoid with scale 1/255, QLinearMul).
 */

import { activationU8, affineParams, type AffineParams, type Range } from '../affine.js'
import { clipShares, occupiedBins } from './range-methods.js'
import type { ValueHistogram } from './value-histogram.js'

/** min over x of x * sigmoid(x), at x = -1.27846. */
export const siluMin = -0.27846454
/** The scale of a sigmoid's integers in every int8 form: 0..1 over 0..255. */
export const sigmoidScale = Math.fround(1 / 255)

/** Lower ends that are tried for the convolution's range. */
const lowerEnds = [-2.5, -3, -3.5, -4, -4.5, -5, -5.5, -6, -7, -8, -10]

export function silu(value: number): number {
  return value / (1 + Math.exp(-value))
}

/** One member of a set of values that share a scale: a convolution with SiLU, or any other value. */
export type ScaleMember =
  | { readonly kind: 'silu'; readonly before: ValueHistogram }
  | { readonly kind: 'plain'; readonly values: ValueHistogram }

/** The output range with the least squared error over all members, and each SiLU member's input range for it. */
export function siluAwareRanges(members: readonly ScaleMember[]): {
  readonly after: Range
  readonly before: readonly (Range | undefined)[]
} {
  const prepared = members.map((member) => prepare(member))
  const top = Math.max(...prepared.map((member) => member.top), 0.5)
  const min = Math.min(...prepared.map((member) => member.bottom))
  let least = Infinity
  let best: { after: Range; before: readonly (Range | undefined)[] } = {
    after: { min, max: top },
    before: [],
  }
  for (const share of clipShares()) {
    const after = { min, max: top * share }
    const params = affineParams(after.min, after.max, activationU8)
    const results = prepared.map((member) => member.errorWith(params, after.max))
    const error = results.reduce((sum, result) => sum + result.error, 0)
    if (error < least) {
      least = error
      best = { after, before: results.map((result) => result.before) }
    }
  }
  return best
}

interface Prepared {
  readonly top: number
  readonly bottom: number
  readonly errorWith: (after: AffineParams, afterMax: number) => { error: number; before: Range | undefined }
}

function prepare(member: ScaleMember): Prepared {
  if (member.kind === 'plain') {
    const { values, weights } = occupiedBins(member.values)
    const { min, max } = member.values.range
    return {
      top: Math.max(0, max),
      bottom: Math.min(0, min),
      errorWith: (after) => ({ error: plainError(values, weights, after), before: undefined }),
    }
  }
  const { values, weights } = occupiedBins(member.before)
  const wanted = values.map((value) => silu(value))
  const { min, max } = member.before.range
  return {
    top: Math.max(0, silu(max)),
    bottom: siluMin,
    errorWith: (after, afterMax) => {
      let least = Infinity
      let before: Range = { min: Math.min(0, min), max: Math.max(0, max) }
      const upper = Math.max(0.5, Math.min(max, siluInverse(afterMax)))
      for (const end of lowerEnds) {
        const candidate = { min: Math.min(0, Math.max(min, end)), max: upper }
        const error = siluError({ values, weights, wanted }, candidate, after)
        if (error < least) {
          least = error
          before = candidate
        }
        if (candidate.min > end) break
      }
      return { error: least, before }
    },
  }
}

/** The x above 0 with silu(x) = y, for y >= 0: Newton's method, which converges from above. */
export function siluInverse(y: number): number {
  let x = y + 0.3
  for (let step = 0; step < 20; step++) {
    const sigmoid = 1 / (1 + Math.exp(-x))
    x -= (x * sigmoid - y) / (sigmoid * (1 + x * (1 - sigmoid)))
  }
  return x
}

function plainError(values: Float64Array, weights: Float64Array, params: AffineParams): number {
  let sum = 0
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!
    const integer = clampU8(Math.round(value / params.scale) + params.zeroPoint)
    const error = (integer - params.zeroPoint) * params.scale - value
    sum += weights[index]! * error * error
  }
  return sum
}

interface SiluValues {
  readonly values: Float64Array
  readonly weights: Float64Array
  readonly wanted: Float64Array
}

function siluError(set: SiluValues, range: Range, after: AffineParams): number {
  const table = siluTable(affineParams(range.min, range.max, activationU8), after)
  const { scale, zeroPoint } = affineParams(range.min, range.max, activationU8)
  const { values, weights, wanted } = set
  let sum = 0
  for (let index = 0; index < values.length; index++) {
    const error = table[clampU8(Math.round(values[index]! / scale) + zeroPoint)]! - wanted[index]!
    sum += weights[index]! * error * error
  }
  return sum
}

/** What each of the 256 integers before the activation becomes behind it, as a real number. */
export function siluTable(before: AffineParams, after: AffineParams): Float64Array {
  return Float64Array.from({ length: 256 }, (_, integer) => {
    const value = (integer - before.zeroPoint) * before.scale
    const sigmoid = clampU8(Math.round(1 / (1 + Math.exp(-value)) / sigmoidScale)) * sigmoidScale
    const product = clampU8(Math.round((value * sigmoid) / after.scale) + after.zeroPoint)
    return (product - after.zeroPoint) * after.scale
  })
}

function clampU8(integer: number): number {
  return integer < 0 ? 0 : integer > 255 ? 255 : integer
}
