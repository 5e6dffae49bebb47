/**
 * The values that ranges are chosen from: those that the pictures of the user show, and, where they show less than drawn pictures do, the
 * values of those too.
 * Invariant: a value that the user's pictures exercise at least as far as the drawn ones has the histogram of the user's pictures alone.
 */

import { present } from '../../../base/assert.js'
import type { ValueName } from '../../../onnx/graph.js'
import type { Range } from '../affine.js'
import { ValueHistogram } from './value-histogram.js'

type Histograms = ReadonlyMap<ValueName, ValueHistogram>

/**
 * How far beyond what drawn pictures show a range reaches where the user's pictures show half of it or less: a margin for objects that
 * shapes are not. test/bench/int8-domains.md has what it is worth.
 */
const reachMax = 1.35
/**
 * Below this a value tells nothing more, so that how far below it was exercised does not count: a SiLU gives less than 0.003 from there on,
 * and the probability of a class is below every threshold in use.
 */
const tellingMin = -8

/** Histograms to choose ranges from: `seen` on the user's pictures and `drawn` on drawn ones, both of the same values. Neither is changed. */
export function withCompanions(seen: Histograms, drawn: Histograms): Histograms {
  return new Map(
    [...seen].map(([value, own]) => {
      const aside = present(drawn.get(value), `${value} was observed on drawn pictures`)
      const shown = shownShare(own.range, aside.range)
      if (shown === 1) return [value, own]
      const reach = 1 + (reachMax - 1) * Math.min(1, 2 * (1 - shown))
      const both = new ValueHistogram()
      both.merge(own)
      both.merge(aside.mapped((each) => reach * each))
      return [value, both]
    }),
  )
}

/** How much of the range of drawn pictures the user's pictures fill, 0..1: of the two sides of 0, the one that they fill less. */
export function shownShare(seen: Range, drawn: Range): number {
  const above = drawn.max > 0 ? seen.max / drawn.max : 1
  const below = drawn.min < 0 ? Math.max(tellingMin, seen.min) / Math.max(tellingMin, drawn.min) : 1
  return Math.max(0, Math.min(1, above, below))
}
