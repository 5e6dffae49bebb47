/**
 * Which detections of one picture are right: the matching of COCO's evaluation (COCOeval.evaluateImg).
 * Invariant: for each class, size and overlap threshold every ground truth that is no crowd is matched at most once,
 * and detections choose by falling score.
 */

import { boxArea, intersectionArea } from '../yolo/boxes.js'
import type { Detection } from '../yolo/detection.js'
import type { EvaluatedImage, GroundTruth } from './ground-truth.js'

/** Overlaps that a match needs: 0.50, 0.55, ..., 0.95; the floats of numpy.linspace(0.5, 0.95, 10). */
export const iouThresholds: readonly number[] = Array.from({ length: 10 }, (_, index) =>
  index === 9 ? 0.95 : 0.5 + index * ((0.95 - 0.5) / 9),
)

/** Sizes of objects in square pixels, both ends included. */
export const areaRanges = {
  all: [0, 1e10],
  small: [0, 32 ** 2],
  medium: [32 ** 2, 96 ** 2],
  large: [96 ** 2, 1e10],
} as const satisfies Readonly<Record<string, readonly [number, number]>>

export type AreaName = keyof typeof areaRanges

/** Detections of one class in one picture that take part; more are cut off. */
export const detectionsPerClass = 100

/** The detections of one class in one picture, best first, at most 100. Plain data. */
export interface ClassMatches {
  readonly classIndex: number
  /** Ground truths that must be found: no crowds, size in range. */
  readonly positives: number
  readonly scores: Float64Array
  /** Bit t of a detection: it found a ground truth at iouThresholds[t]. */
  readonly matched: Uint16Array
  /** Bit t of a detection: it counts neither as right nor as wrong at iouThresholds[t]. */
  readonly ignored: Uint16Array
}

/** The classes of one picture that have a ground truth or a detection, for each range of sizes. */
export type ImageMatches = Readonly<Record<AreaName, readonly ClassMatches[]>>

/** Matches one picture. Detections with equal scores keep their order. */
export function matchImage(image: EvaluatedImage): ImageMatches {
  const groundTruths = byClass(image.groundTruths)
  const detections = byClass(image.detections)
  const matches: Record<AreaName, ClassMatches[]> = { all: [], small: [], medium: [], large: [] }
  for (const classIndex of new Set([...groundTruths.keys(), ...detections.keys()])) {
    const pairs = pairClass(groundTruths.get(classIndex) ?? [], detections.get(classIndex) ?? [])
    for (const [area, list] of Object.entries(matches)) {
      list.push({ classIndex, ...matchClass(pairs, areaRanges[area as AreaName]) })
    }
  }
  return matches
}

function byClass<T extends { readonly classIndex: number }>(items: readonly T[]): Map<number, T[]> {
  const classes = new Map<number, T[]>()
  for (const item of items) {
    const list = classes.get(item.classIndex)
    if (list === undefined) classes.set(item.classIndex, [item])
    else list.push(item)
  }
  return classes
}

/** Ground truths and detections of one class with the overlap of each pair. */
interface ClassPairs {
  readonly groundTruths: readonly GroundTruth[]
  /** The detections of the class, the highest score first. */
  readonly detections: readonly Detection[]
  /** The overlap of detection d and ground truth g, 0..1, lies at `d * groundTruths.length + g`. */
  readonly overlaps: Float64Array
}

function pairClass(groundTruths: readonly GroundTruth[], all: readonly Detection[]): ClassPairs {
  const detections = all.toSorted((a, b) => b.score - a.score).slice(0, detectionsPerClass)
  const overlaps = new Float64Array(detections.length * groundTruths.length)
  let at = 0
  for (const detection of detections) {
    for (const truth of groundTruths) overlaps[at++] = overlap(detection, truth)
  }
  return { groundTruths, detections, overlaps }
}

/** Intersection over union; over the area of the detection alone where the ground truth is a crowd. */
function overlap(detection: Detection, truth: GroundTruth): number {
  const intersection = intersectionArea(detection, truth)
  if (intersection === 0) return 0
  const area = boxArea(detection)
  return intersection / (truth.crowd ? area : area + boxArea(truth) - intersection)
}

function matchClass(
  { groundTruths, detections, overlaps }: ClassPairs,
  [smallest, largest]: readonly [number, number],
): Omit<ClassMatches, 'classIndex'> {
  const outside = (area: number): boolean => area < smallest || area > largest
  const isIgnored = groundTruths.map((truth) => truth.crowd || outside(truth.area))
  // Those that count come first, so that a detection takes an ignored one only where no other fits.
  const order = [...groundTruths.keys()].sort((a, b) => Number(isIgnored[a]) - Number(isIgnored[b]))
  const matched = new Uint16Array(detections.length)
  const ignored = new Uint16Array(detections.length)
  for (const [bit, threshold] of iouThresholds.entries()) {
    const taken = new Uint8Array(groundTruths.length)
    for (const [index, detection] of detections.entries()) {
      const found = bestTruth(index * groundTruths.length, Math.min(threshold, 1 - 1e-10), taken)
      if (found >= 0) {
        taken[found] = 1
        matched[index]! |= 1 << bit
      }
      if (found >= 0 ? isIgnored[found]! : outside(boxArea(detection))) ignored[index]! |= 1 << bit
    }
  }
  const positives = isIgnored.filter((each) => !each).length
  return { positives, scores: Float64Array.from(detections, ({ score }) => score), matched, ignored }

  /** The free ground truth with the largest overlap of at least `least`, the later of equals; -1 for none. */
  function bestTruth(firstOverlap: number, least: number, taken: Uint8Array): number {
    let best = -1
    let bestOverlap = least
    for (const candidate of order) {
      if (taken[candidate] === 1 && !groundTruths[candidate]!.crowd) continue
      if (best >= 0 && !isIgnored[best]! && isIgnored[candidate]!) break
      const value = overlaps[firstOverlap + candidate]!
      if (value < bestOverlap) continue
      bestOverlap = value
      best = candidate
    }
    return best
  }
}
