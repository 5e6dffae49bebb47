/**
 * How far two models find the same in the same pictures: needs no labels.
 * Invariant: within a picture and class every detection is paired at most once.
 */

import { invariant } from '../base/assert.js'
import { boxIou } from '../yolo/boxes.js'
import type { Detection } from '../yolo/detection.js'

export interface AgreementCounts {
  /** Detections that both models have. */
  readonly both: number
  readonly onlyReference: number
  readonly onlyCandidate: number
  /** Harmonic mean of the shares of each model's detections that the other has, 0..1; 1 where neither finds anything. */
  readonly f1: number
}

export interface Agreement extends AgreementCounts {
  /** The mean overlap (IoU) of the pairs, 0..1; 1 where there are none. */
  readonly meanIou: number
  /** Candidate's score minus the reference's, of the pairs; 0 where there are none. */
  readonly meanScoreShift: number
  readonly meanAbsoluteScoreShift: number
  /** Classes that either model found, by rising index. */
  readonly perClass: readonly (AgreementCounts & { readonly classIndex: number })[]
}

interface Counts {
  both: number
  onlyReference: number
  onlyCandidate: number
}

/**
 * Compares the detections of two models on the same pictures in the same order, found with the same options.
 * A pair has one class and overlaps by at least `iou`; the reference chooses by falling score.
 */
export function compareDetections(
  reference: readonly (readonly Detection[])[],
  candidate: readonly (readonly Detection[])[],
  iou = 0.5,
): Agreement {
  invariant(reference.length === candidate.length, 'both models saw the same pictures')
  const classes = new Map<number, Counts>()
  const pairs: Pair[] = []
  for (const [index, expected] of reference.entries()) {
    const free = new Set(candidate[index])
    for (const detection of expected.toSorted((a, b) => b.score - a.score)) {
      const counts = countsOf(classes, detection.classIndex)
      const pair = bestPair(detection, free, iou)
      if (pair === undefined) {
        counts.onlyReference++
        continue
      }
      free.delete(pair.partner)
      pairs.push(pair)
      counts.both++
    }
    for (const detection of free) countsOf(classes, detection.classIndex).onlyCandidate++
  }
  const perClass = [...classes].sort(([a], [b]) => a - b)
  const total = { both: 0, onlyReference: 0, onlyCandidate: 0 }
  for (const [, counts] of perClass) {
    total.both += counts.both
    total.onlyReference += counts.onlyReference
    total.onlyCandidate += counts.onlyCandidate
  }
  return {
    ...total,
    f1: f1Of(total),
    meanIou: mean(pairs, (pair) => pair.iou, 1),
    meanScoreShift: mean(pairs, (pair) => pair.scoreShift, 0),
    meanAbsoluteScoreShift: mean(pairs, (pair) => Math.abs(pair.scoreShift), 0),
    perClass: perClass.map(([classIndex, counts]) => ({ classIndex, ...counts, f1: f1Of(counts) })),
  }
}

/**
 * The largest difference, 0..1, between what two models give one object, over the objects that either gives at least `conf`.
 * The detections were found with a lower confidence, so that an object which one model gives less is still told by its score; one
 * that it does not give at all differs by the whole score. The same pictures in the same order; 0 where nothing is found.
 */
export function largestScoreDifference(
  one: readonly (readonly Detection[])[],
  other: readonly (readonly Detection[])[],
  conf: number,
  iou = 0.5,
): number {
  invariant(one.length === other.length, 'both models saw the same pictures')
  const largest = (from: typeof one, to: typeof one): number =>
    from.reduce(
      (most, detections, index) =>
        detections
          .filter(({ score }) => score >= conf)
          .reduce(
            (top, found) => Math.max(top, Math.abs(found.score - scoreOf(found, to[index]!, iou))),
            most,
          ),
      0,
    )
  return Math.max(largest(one, other), largest(other, one))
}

/** The score that `detections` give the object of `found`, the nearest of several; 0 where they do not have it. */
function scoreOf(found: Detection, detections: readonly Detection[], iou: number): number {
  return detections
    .filter((each) => each.classIndex === found.classIndex && boxIou(found, each) >= iou)
    .reduce(
      (near, { score }) => (Math.abs(score - found.score) < Math.abs(near - found.score) ? score : near),
      0,
    )
}

interface Pair {
  readonly partner: Detection
  readonly iou: number
  readonly scoreShift: number
}

function bestPair(detection: Detection, free: ReadonlySet<Detection>, least: number): Pair | undefined {
  let best: Pair | undefined
  for (const partner of free) {
    if (partner.classIndex !== detection.classIndex) continue
    const iou = boxIou(detection, partner)
    if (iou < least || (best !== undefined && iou <= best.iou)) continue
    best = { partner, iou, scoreShift: partner.score - detection.score }
  }
  return best
}

function countsOf(classes: Map<number, Counts>, classIndex: number): Counts {
  const known = classes.get(classIndex)
  if (known !== undefined) return known
  const counts = { both: 0, onlyReference: 0, onlyCandidate: 0 }
  classes.set(classIndex, counts)
  return counts
}

function f1Of({ both, onlyReference, onlyCandidate }: Counts): number {
  const all = 2 * both + onlyReference + onlyCandidate
  return all === 0 ? 1 : (2 * both) / all
}

function mean(pairs: readonly Pair[], figure: (pair: Pair) => number, none: number): number {
  return pairs.length === 0 ? none : pairs.reduce((sum, pair) => sum + figure(pair), 0) / pairs.length
}
