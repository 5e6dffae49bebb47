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
  /** The picture of each detection. */
  readonly image: Int32Array
  /** As in ClassMatches. */
  readonly matched: Uint16Array
  readonly ignored: Uint16Array
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
  const precision = new Float64Array(iouThresholds.length)
  const recall = new Float64Array(iouThresholds.length)
  // Recall rises only with a right detection, so the curve is kept at those alone.
  const curve = {
    recall: new Float64Array(ranked.image.length),
    precision: new Float64Array(ranked.image.length),
  }
  for (let threshold = 0; threshold < iouThresholds.length; threshold++) {
    const points = traceCurve(ranked, 1 << threshold, positives, weights, curve)
    recall[threshold] = points === 0 ? 0 : curve.recall[points - 1]!
    precision[threshold] = meanPrecision(curve, points)
  }
  return { positives, precision, recall }
}

interface Curve {
  readonly recall: Float64Array
  readonly precision: Float64Array
}

/** Fills `curve` with a point for each right detection; returns how many. */
function traceCurve(
  ranked: RankedClass,
  bit: number,
  positives: number,
  weights: Float64Array | undefined,
  curve: Curve,
): number {
  const { image, matched, ignored } = ranked
  let right = 0
  let wrong = 0
  let points = 0
  for (let index = 0; index < image.length; index++) {
    if ((ignored[index]! & bit) !== 0) continue
    const weight = weights === undefined ? 1 : weights[image[index]!]!
    if ((matched[index]! & bit) === 0) {
      wrong += weight
    } else if (weight > 0) {
      right += weight
      curve.recall[points] = right / positives
      curve.precision[points] = right / (right + wrong + Number.EPSILON)
      points++
    }
  }
  return points
}

/** Mean of the precision at 101 recalls, where precision at a recall is the best at it or any higher one. */
function meanPrecision({ recall, precision }: Curve, points: number): number {
  for (let point = points - 2; point >= 0; point--) {
    precision[point] = Math.max(precision[point]!, precision[point + 1]!)
  }
  let sum = 0
  let point = 0
  for (const least of recallPoints) {
    while (point < points && recall[point]! < least) point++
    if (point === points) break
    sum += precision[point]!
  }
  return sum / recallPoints.length
}
