/**
 * The class scores of one picture as a model outputs them, and the search for those above a threshold.
 * Invariant: of some 700,000 scores a handful pass, so the loop over all of them does nothing but compare.
 */

/** The value of class c and anchor `firstAnchor + a` lies at `values[offset + c * anchors + a]`. */
export interface ScorePlane {
  readonly values: Float32Array
  readonly offset: number
  readonly anchors: number
  readonly firstAnchor: number
  readonly classes: number
}

/** Calls `visit` for every value above `threshold`: class by class, by rising anchor. NaN is above nothing. */
export function scanScores(
  plane: ScorePlane,
  threshold: number,
  visit: (anchor: number, classIndex: number, value: number) => void,
): void {
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
