/**
 * The affine map between real numbers and n-bit integers, for 2 to 16 bits.
 * Invariant: zero is represented exactly (padding relies on it), and a value inside the range comes back within half
 * a step. Linear quantisation after min-max scaling is the case `signed: false, symmetric: false`:
 * S = (max - min) / (2^n - 1), Z = round(-min / S); symmetric quantisation is `signed: true, symmetric: true`:
 * S = max|x| / (2^(n-1) - 1), Z = 0.
 */

import { roundHalfToEven } from '../../base/numeric.js'
import { invariant } from '../../base/assert.js'

/** A closed interval of real numbers. */
export interface Range {
  readonly min: number
  readonly max: number
}

/** real = (integer - zeroPoint) * scale, for integers from `low` to `high`. */
export interface AffineParams {
  readonly scale: number
  readonly zeroPoint: number
  readonly low: number
  readonly high: number
}

export interface AffineFormat {
  /** 2 to 16. */
  readonly bits: number
  /** Zero point 0 (signed) or the middle (unsigned), and a range that mirrors around it. */
  readonly symmetric: boolean
  readonly signed: boolean
  /** Leaves out the lowest integer, so that the integers mirror too (-127..127). */
  readonly narrow: boolean
}

/** Unsigned activations: 0..255 with a free zero point. */
export const activationU8: AffineFormat = { bits: 8, symmetric: false, signed: false, narrow: false }
/** Signed symmetric activations: -128..127 with zero point 0. */
export const activationS8: AffineFormat = { bits: 8, symmetric: true, signed: true, narrow: false }

/** Signed symmetric weights of `bits` bits: zero point 0, -(2^(bits-1)-1) .. 2^(bits-1)-1. */
export function weightFormat(bits: number): AffineFormat {
  return { bits, symmetric: true, signed: true, narrow: true }
}

/**
 * Scale and zero point that cover `min`..`max` (widened to hold 0). The scale is a float32 value, as it is stored.
 * A range of no width gets scale 1.
 */
export function affineParams(min: number, max: number, format: AffineFormat): AffineParams {
  invariant(format.bits >= 2 && format.bits <= 16, `quantisation to ${format.bits} bits lies in 2..16`)
  invariant(Number.isFinite(min) && Number.isFinite(max), `the range ${min}..${max} is finite`)
  const levels = 2 ** format.bits
  const lowest = format.signed ? -levels / 2 : 0
  const low = format.narrow ? lowest + 1 : lowest
  const high = lowest + levels - 1
  const bottom = Math.min(0, min)
  const top = Math.max(0, max)
  if (format.symmetric) {
    const zeroPoint = format.signed ? 0 : levels / 2
    const scale = storedScale(Math.max(top, -bottom) / (high - zeroPoint))
    return { scale, zeroPoint, low, high }
  }
  const scale = storedScale((top - bottom) / (high - low))
  const zeroPoint = Math.min(high, Math.max(low, roundHalfToEven(low - bottom / scale)))
  return { scale, zeroPoint, low, high }
}

function storedScale(scale: number): number {
  const stored = Math.fround(scale)
  return stored > 1e-30 ? stored : 1
}

/** The integer for `value`, clamped to the format. */
export function quantizeValue(value: number, params: AffineParams): number {
  const integer = roundHalfToEven(value / params.scale) + params.zeroPoint
  return Math.min(params.high, Math.max(params.low, integer))
}

/** The real number that an integer stands for. */
export function dequantizeValue(integer: number, params: AffineParams): number {
  return (integer - params.zeroPoint) * params.scale
}

/** The range that the integers of `params` cover. */
export function coveredRange(params: AffineParams): Range {
  return { min: dequantizeValue(params.low, params), max: dequantizeValue(params.high, params) }
}

/** The smallest and largest of `values`; 0..0 when empty. */
export function rangeOf(values: Float32Array): Range {
  let min = Infinity
  let max = -Infinity
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!
    if (value < min) min = value
    if (value > max) max = value
  }
  return min <= max ? { min, max } : { min: 0, max: 0 }
}

/** The smallest range that holds all of `ranges`. */
export function unionOf(ranges: Iterable<Range>): Range {
  let min = Infinity
  let max = -Infinity
  for (const range of ranges) {
    min = Math.min(min, range.min)
    max = Math.max(max, range.max)
  }
  return min <= max ? { min, max } : { min: 0, max: 0 }
}
