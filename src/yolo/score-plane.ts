/**
 * The class scores of one picture as a model outputs them, and the search for those above a threshold.
 * Invariant: of some 700,000 scores a handful pass, so they are compared by blocks, and only a block in which one may pass
 * is looked at more closely.
 */

import { type ByteScale, logitOf } from './byte-scale.js'
import { blockBytes, searchedArray } from './output-memory.js'

/**
 * The value of class c and anchor `firstAnchor + a` lies at `values[offset + c * anchors + a]`, or with a step at
 * `values[offset + a * anchorStep + c]`.
 */
export interface FloatScores {
  readonly values: Float32Array
  readonly offset: number
  readonly anchors: number
  readonly firstAnchor: number
  readonly classes: number
  readonly anchorStep?: number
}

/** The value of class c and anchor `firstAnchor + a` is `logitOf(bytes[a * classes + c], ...)`. */
export interface ByteScores extends ByteScale {
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
  else if (plane.anchorStep !== undefined) scanByAnchor(plane, plane.anchorStep, threshold, visit)
  else scanFloats(plane, threshold, visit)
}

function scanFloats(plane: FloatScores, threshold: number, visit: Visit): void {
  const { values, offset, anchors, firstAnchor, classes } = plane
  const { search, address } = searchedArray(values)
  const first = address + 4 * offset
  const end = first + 4 * classes * anchors
  const blockLength = blockBytes / 4
  // The search takes the float32 number nearest to the threshold, so it may find equals, never miss one above.
  for (let at = nextFrom(first); at < end; at = nextFrom(at + blockBytes)) {
    const start = (at - address) / 4
    const stop = Math.min(start + blockLength, offset + classes * anchors)
    for (let index = start; index < stop; index++) {
      const value = values[index]!
      if (!(value > threshold)) continue
      const classIndex = Math.floor((index - offset) / anchors)
      visit(firstAnchor + index - offset - classIndex * anchors, classIndex, value)
    }
  }

  function nextFrom(at: number): number {
    return search.floatsFrom(at, end, threshold)
  }
}

/** Scores that lie between boxes: those would pass the search as well. */
function scanByAnchor(
  { values, offset, anchors, firstAnchor, classes }: FloatScores,
  anchorStep: number,
  threshold: number,
  visit: Visit,
): void {
  for (let anchor = 0, at = offset; anchor < anchors; anchor++, at += anchorStep) {
    for (let classIndex = 0; classIndex < classes; classIndex++) {
      const value = values[at + classIndex]!
      if (value > threshold) visit(firstAnchor + anchor, classIndex, value)
    }
  }
}

function scanBytes(plane: ByteScores, threshold: number, visit: Visit): void {
  const { bytes, firstAnchor, classes } = plane
  let limit = 255
  while (limit >= 0 && logitOf(limit, plane) > threshold) limit--
  if (limit === 255) return
  if (limit < 0) {
    visitRange(0, bytes.length)
    return
  }
  const { search, address } = searchedArray(bytes)
  const end = address + bytes.length
  for (let at = nextFrom(address); at < end; at = nextFrom(at + blockBytes)) {
    const start = at - address
    visitRange(start, Math.min(start + blockBytes, bytes.length))
  }

  function nextFrom(at: number): number {
    return search.bytesAbove(at, end, limit)
  }

  function visitRange(from: number, to: number): void {
    for (let index = from; index < to; index++) {
      const byte = bytes[index]!
      if (byte <= limit) continue
      const anchor = Math.floor(index / classes)
      visit(firstAnchor + anchor, index - anchor * classes, logitOf(byte, plane))
    }
  }
}
