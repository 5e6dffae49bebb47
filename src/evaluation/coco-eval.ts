/**
 * The twelve figures of COCO's evaluation, and the precision of each class.
 * Invariant: equal to pycocotools' COCOeval (bbox) on the same detections; what that marks -1 is null here.
 */

import { AgentError } from '../base/errors.js'
import { averagePrecision, rankClasses, type ClassPrecision } from './average-precision.js'
import type { EvaluatedImage } from './ground-truth.js'
import { detectionsPerClass, matchImage, type AreaName, type ImageMatches } from './match-image.js'

/** All figures are 0..1. A figure of a size is null where the data set has no object of that size. */
export interface DetectionMetrics {
  /** mAP50-95: mean over classes and the overlaps 0.50, 0.55, ..., 0.95. */
  readonly map: number
  readonly map50: number
  readonly map75: number
  /** Objects below 32 x 32, up to 96 x 96, and larger. */
  readonly mapSmall: number | null
  readonly mapMedium: number | null
  readonly mapLarge: number | null
  /** Mean recall with the 1, 10 or 100 best detections of each class in a picture. */
  readonly recall1: number
  readonly recall10: number
  readonly recall100: number
  readonly recallSmall: number | null
  readonly recallMedium: number | null
  readonly recallLarge: number | null
  /** Each class that the data set has, by rising index. */
  readonly perClass: readonly ClassMetrics[]
  readonly images: number
  /** Ground truths that must be found: crowds do not count. */
  readonly groundTruths: number
}

export interface ClassMetrics {
  readonly classIndex: number
  readonly groundTruths: number
  readonly ap: number
  readonly ap50: number
  /** Mean over the overlaps, with 100 detections. */
  readonly recall: number
}

/** Measures detections against ground truths. Throws `dataset.folder_unusable` when there is no object to find. */
export function evaluateDetections(images: readonly EvaluatedImage[]): DetectionMetrics {
  return summarizeMatches(images.map(matchImage))
}

/** Computes the same figures from pictures whose detections were matched before. */
export function summarizeMatches(images: readonly ImageMatches[]): DetectionMetrics {
  const all = precisionOf(images, 'all', detectionsPerClass)
  const small = precisionOf(images, 'small', detectionsPerClass)
  const medium = precisionOf(images, 'medium', detectionsPerClass)
  const large = precisionOf(images, 'large', detectionsPerClass)
  if (all.length === 0) {
    throw new AgentError(
      'dataset.folder_unusable',
      `measuring accuracy: the ${images.length} pictures have no labelled object, expected at least one`,
    )
  }
  return {
    map: mean(all, ({ precision }) => meanOf(precision)),
    map50: mean(all, ({ precision }) => precision[0]!),
    map75: mean(all, ({ precision }) => precision[5]!),
    mapSmall: small.length === 0 ? null : mean(small, ({ precision }) => meanOf(precision)),
    mapMedium: medium.length === 0 ? null : mean(medium, ({ precision }) => meanOf(precision)),
    mapLarge: large.length === 0 ? null : mean(large, ({ precision }) => meanOf(precision)),
    recall1: mean(precisionOf(images, 'all', 1), ({ recall }) => meanOf(recall)),
    recall10: mean(precisionOf(images, 'all', 10), ({ recall }) => meanOf(recall)),
    recall100: mean(all, ({ recall }) => meanOf(recall)),
    recallSmall: small.length === 0 ? null : mean(small, ({ recall }) => meanOf(recall)),
    recallMedium: medium.length === 0 ? null : mean(medium, ({ recall }) => meanOf(recall)),
    recallLarge: large.length === 0 ? null : mean(large, ({ recall }) => meanOf(recall)),
    perClass: all.map(({ classIndex, positives, precision, recall }) => ({
      classIndex,
      groundTruths: positives,
      ap: meanOf(precision),
      ap50: precision[0]!,
      recall: meanOf(recall),
    })),
    images: images.length,
    groundTruths: all.reduce((sum, { positives }) => sum + positives, 0),
  }
}

type NumberedPrecision = ClassPrecision & { readonly classIndex: number }

function precisionOf(images: readonly ImageMatches[], area: AreaName, perImage: number): NumberedPrecision[] {
  return rankClasses(images, area, perImage).flatMap((ranked) => {
    const result = averagePrecision(ranked)
    return result === undefined ? [] : [{ classIndex: ranked.classIndex, ...result }]
  })
}

function mean(classes: readonly NumberedPrecision[], figure: (each: NumberedPrecision) => number): number {
  return classes.reduce((sum, each) => sum + figure(each), 0) / classes.length
}

function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
