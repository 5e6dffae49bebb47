/**
 * The class scores of one picture as a model outputs them, and the search for those above a threshold.
 * Invariant: of some 700,000 scores a handful pass, so the loop over all of them does nothing but compare.
 */

import { type ByteScale, logitOf } from './byte-scale.js'

/** The value of class c and anchor `firstAnchor + a` lies at `values[offset + c * anchors + a]`. */
export interface FloatScores {
  readonly values: Float32Array
  readonly offset: number
  readonly anchors: number
  readonly firstAnchor: number
  readonly classes: number
}

/** The value of class c and anchor `firstAnchor + a` is `logitOf(bytes[a * classes + c], ...)`. */
export interface ByteScores extends ByteScale {
  /** Its buffer is read in words: it begins at a multiple of 4. */
  readonly bytes: Uint8Array
  readonly anchors: number
  readonly firstAnchor: number
  readonly classes: number
}

export type ScorePlane = FloatScores | ByteScores

/** @param value as the model outputs it, a float32 number */
type Visit = (anchor: number, classIndex: number, value: number) => void

/** Calls `visit` for every value above `threshold`, in the order of memory. NaN is above nothing. */
export function scanScores(plane: ScorePlane, threshold: number, visit: Visit): void {
  if ('bytes' in plane) scanBytes(plane, threshold, visit)
  else scanFloats(plane, threshold, visit)
}

function scanFloats(plane: FloatScores, threshold: number, visit: Visit): void {
  const { values, offset, anchors, firstAnchor, classes } = plane
  const end = offset + classes * anchors
  let at = offset
  // Eight at a time: about half the time of one at a time.
  for (; at + 8 <= end; at += 8) {
    if (
      values[at]! > threshold ||
      values[at + 1]! > threshold ||
      values[at + 2]! > threshold ||
      values[at + 3]! > threshold ||
      values[at + 4]! > threshold ||
      values[at + 5]! > threshold ||
      values[at + 6]! > threshold ||
      values[at + 7]! > threshold
    ) {
      visitRange(at, at + 8)
    }
  }
  visitRange(at, end)

  function visitRange(from: number, to: number): void {
    for (let index = from; index < to; index++) {
      const value = values[index]!
      if (!(value > threshold)) continue
      const classIndex = Math.floor((index - offset) / anchors)
      visit(firstAnchor + index - offset - classIndex * anchors, classIndex, value)
    }
  }
}

/** Looks at four bytes at a time: sums of seven bits each carry into the eighth, never into the next byte. */
function scanBytes(plane: ByteScores, threshold: number, visit: Visit): void {
  const { bytes, firstAnchor, classes } = plane
  let limit = 255
  while (limit >= 0 && logitOf(limit, plane) > threshold) limit--
  if (limit === 255) return
  if (limit < 0) {
    visitRange(0, bytes.length)
    return
  }
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
  const carry = Math.imul(127 - (limit & 127), 0x01010101)
  const isHigh = limit > 127
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!
    const sum = (word & 0x7f7f7f7f) + carry
    const above = isHigh ? sum & word : sum | word
    if ((above & 0x80808080) !== 0) visitRange(4 * index, 4 * index + 4)
  }
  visitRange(4 * words.length, bytes.length)

  function visitRange(from: number, to: number): void {
    for (let index = from; index < to; index++) {
      const byte = bytes[index]!
      if (byte <= limit) continue
      const anchor = Math.floor(index / classes)
      visit(firstAnchor + anchor, index - anchor * classes, logitOf(byte, plane))
    }
  }
}
