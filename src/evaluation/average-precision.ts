/**
 * From matches to precision over recall: the accumulation of COCO's evaluation (COCOeval.accumulate).
 * Invariant: detections of all pictures are ranked once per class, by falling score and then in the order of the pictures;
 * a resampling of the pictures only changes how often each counts.
 */

import type { AreaName, ImageMatches } from './match-image.js'
import { iouThresholds } from './match-image.js'

/** Recalls at which precision is read: 0, 0.01, ..., 1. */
const recallPoints = Float64Array.from({ length: 101 }, (_, index) => (index === 100 ? 1 : index * 0.01))

/** All detections of one class in all pictures, best first. */
export interface RankedClass {
  readonly classIndex: number
  /** Ground truths of each picture that must be found. */
  readonly positives: Float64Array
  /** For each detection the index of its picture. */
  readonly image: Int32Array
  /** For each detection one bit a threshold of overlap, as in `ClassMatches.matched`. */
  readonly matched: Uint16Array
  readonly ignored: Uint16Array
  /** Detections that found a ground truth at any threshold. */
  readonly hits: number
}

/** Values at each of the ten overlap thresholds. */
export interface ClassPrecision {
  /** Ground truths that must be found, in all pictures. */
  readonly positives: number
  readonly precision: Float64Array
  readonly recall: Float64Array
}

/** Ranks each class that has a ground truth of the given size; at most `perImage` detections of each picture. */
export function rankClasses(
  images: readonly ImageMatches[],
  area: AreaName,
  perImage: number,
): RankedClass[] {
  const classes = new Map<
    number,
    { positives: Float64Array; detections: RankedDetection[]; counted: boolean }
  >()
  for (const [image, matches] of images.entries()) {
    for (const { classIndex, positives, scores, matched, ignored } of matches[area]) {
      let entry = classes.get(classIndex)
      if (entry === undefined) {
        entry = { positives: new Float64Array(images.length), detections: [], counted: false }
        classes.set(classIndex, entry)
      }
      entry.positives[image] = positives
      entry.counted ||= positives > 0
      for (let index = 0; index < Math.min(scores.length, perImage); index++) {
        entry.detections.push({
          image,
          score: scores[index]!,
          matched: matched[index]!,
          ignored: ignored[index]!,
        })
      }
    }
  }
  return [...classes]
    .filter(([, { counted }]) => counted)
    .sort(([a], [b]) => a - b)
    .map(([classIndex, { positives, detections }]) => {
      detections.sort((a, b) => b.score - a.score)
      return {
        classIndex,
        positives,
        image: Int32Array.from(detections, (each) => each.image),
        matched: Uint16Array.from(detections, (each) => each.matched),
        ignored: Uint16Array.from(detections, (each) => each.ignored),
        hits: detections.filter((each) => each.matched !== 0).length,
      }
    })
}

interface RankedDetection {
  readonly image: number
  readonly score: number
  readonly matched: number
  readonly ignored: number
}

/**
 * Average precision and recall of a class, or undefined where no ground truth must be found.
 * `weights` says how often each picture counts: whole numbers, all 1 by default.
 */
export function averagePrecision(ranked: RankedClass, weights?: Float64Array): ClassPrecision | undefined {
  let positives = 0
  for (let image = 0; image < ranked.positives.length; image++) {
    positives += ranked.positives[image]! * (weights?.[image] ?? 1)
  }
  if (positives === 0) return undefined
  const curves = traceCurves(ranked, positives, weights)
  const precision = new Float64Array(iouThresholds.length)
  const recall = new Float64Array(iouThresholds.length)
  for (let threshold = 0; threshold < iouThresholds.length; threshold++) {
    const first = threshold * ranked.hits
    const end = first + curves.points[threshold]!
    recall[threshold] = end === first ? 0 : curves.recall[end - 1]!
    precision[threshold] = meanPrecision(curves, first, end)
  }
  return { positives, precision, recall }
}

/** Precision over recall for each overlap threshold t: `points[t]` points from `t * hits` on. */
interface Curves {
  readonly points: Int32Array
  readonly recall: Float64Array
  readonly precision: Float64Array
}

/**
 * Recall rises only with a right detection, so the curves are kept at those alone.
 * Most detections are wrong at every threshold: one counter serves all ten for them.
 */
function traceCurves(ranked: RankedClass, positives: number, weights: Float64Array | undefined): Curves {
  const { image, matched, ignored, hits } = ranked
  const count = iouThresholds.length
  const right = new Float64Array(count)
  const wrongHere = new Float64Array(count)
  let wrongEverywhere = 0
  const points = new Int32Array(count)
  const recall = new Float64Array(count * hits)
  const precision = new Float64Array(count * hits)
  for (let index = 0; index < image.length; index++) {
    const weight = weights === undefined ? 1 : weights[image[index]!]!
    if (weight === 0) continue
    const matchedBits = matched[index]!
    const ignoredBits = ignored[index]!
    if ((matchedBits | ignoredBits) === 0) {
      wrongEverywhere += weight
      continue
    }
    for (let threshold = 0; threshold < count; threshold++) {
      const bit = 1 << threshold
      if ((ignoredBits & bit) !== 0) continue
      if ((matchedBits & bit) === 0) {
        wrongHere[threshold]! += weight
        continue
      }
      const found = (right[threshold]! += weight)
      const at = threshold * hits + points[threshold]!++
      recall[at] = found / positives
      precision[at] = found / (found + wrongHere[threshold]! + wrongEverywhere + Number.EPSILON)
    }
  }
  return { points, recall, precision }
}

/** Mean of the precision at 101 recalls, where precision at a recall is the best at it or any higher one. */
function meanPrecision({ recall, precision }: Curves, first: number, end: number): number {
  for (let point = end - 2; point >= first; point--) {
    precision[point] = Math.max(precision[point]!, precision[point + 1]!)
  }
  let sum = 0
  let point = first
  for (const least of recallPoints) {
    while (point < end && recall[point]! < least) point++
    if (point === end) break
    sum += precision[point]!
  }
  return sum / recallPoints.length
}
