/**
 * Whether a detector sees something else than it used to: needs no labels, only what it finds.
 * Invariant: a profile grows by sums alone, so that it can be kept for weeks in a few hundred bytes and merged.
 */

import { boxArea } from '../yolo/boxes.js'
import type { Detection } from '../yolo/detection.js'

const scoreBins = 10
/** Boxes are counted by the share of the picture that they cover, in factors of two from 1/2 and more to 1/2048 and less. */
const sizeBins = 12

/** What a model found over some time, as counts. Plain data. */
export interface DetectionProfile {
  frames: number
  detections: number
  /** How many detections each class had; the index is that of the class. */
  readonly classes: number[]
  readonly scores: number[]
  readonly sizes: number[]
}

/**
 * Population stability indices: 0 for the same distribution; above 0.1 is commonly called a change, above 0.25 a shift.
 */
export interface Drift {
  readonly scorePsi: number
  readonly classPsi: number
  readonly sizePsi: number
  readonly detectionsPerFrame: number
  /** `detectionsPerFrame` divided by that of the baseline. */
  readonly rateRatio: number
}

export type DriftResult =
  | { readonly kind: 'measured'; readonly drift: Drift }
  /** One of the profiles has fewer detections than `least`. */
  | { readonly kind: 'too-few'; readonly detections: number; readonly least: number }

export function emptyProfile(classCount: number): DetectionProfile {
  return {
    frames: 0,
    detections: 0,
    classes: new Array<number>(classCount).fill(0),
    scores: new Array<number>(scoreBins).fill(0),
    sizes: new Array<number>(sizeBins).fill(0),
  }
}

/** Adds what was found in one frame of `width` x `height` pixels. */
export function addFrame(
  profile: DetectionProfile,
  detections: readonly Detection[],
  { width, height }: { readonly width: number; readonly height: number },
): void {
  profile.frames++
  profile.detections += detections.length
  for (const detection of detections) {
    profile.classes[detection.classIndex]! += 1
    profile.scores[Math.min(scoreBins - 1, Math.floor(detection.score * scoreBins))]! += 1
    const share = boxArea(detection) / (width * height)
    profile.sizes[Math.min(sizeBins - 1, Math.max(0, Math.floor(-Math.log2(share))))]! += 1
  }
}

/**
 * Compares what is found now with what was found when all was well, by the same model with the same options.
 * Below `least` detections on either side, chance alone makes distributions differ.
 */
export function compareProfiles(
  baseline: DetectionProfile,
  current: DetectionProfile,
  least = 500,
): DriftResult {
  const detections = Math.min(baseline.detections, current.detections)
  if (detections < Math.max(1, least)) return { kind: 'too-few', detections, least }
  const detectionsPerFrame = current.detections / current.frames
  return {
    kind: 'measured',
    drift: {
      scorePsi: stabilityIndex(baseline.scores, current.scores),
      classPsi: stabilityIndex(baseline.classes, current.classes),
      sizePsi: stabilityIndex(baseline.sizes, current.sizes),
      detectionsPerFrame,
      rateRatio: detectionsPerFrame / (baseline.detections / baseline.frames),
    },
  }
}

/**
 * Sum of (share now - share then) * ln(share now / share then) over the bins that occur.
 * Half a detection is added to each bin, so that one that is empty on one side gives a finite index.
 */
function stabilityIndex(baseline: readonly number[], current: readonly number[]): number {
  const bins = [...baseline.keys()].filter((bin) => baseline[bin]! + current[bin]! > 0)
  const total = (counts: readonly number[]): number => bins.reduce((sum, bin) => sum + counts[bin]! + 0.5, 0)
  const [baselineTotal, currentTotal] = [total(baseline), total(current)]
  return bins.reduce((sum, bin) => {
    const then = (baseline[bin]! + 0.5) / baselineTotal
    const now = (current[bin]! + 0.5) / currentTotal
    return sum + (now - then) * Math.log(now / then)
  }, 0)
}
