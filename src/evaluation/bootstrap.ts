/**
 * How sure a difference of accuracy between two models is.
 * Invariant: both models are resampled with the same pictures (a paired bootstrap), so what makes a picture easy or hard
 * for both cancels out. The same seed gives the same interval.
 */

import { quantileOfSorted } from '../base/numeric.js'
import { invariant } from '../base/assert.js'
import { seededRandom, type Random } from '../base/random.js'
import { averagePrecision, rankClasses, type RankedClass } from './average-precision.js'
import { detectionsPerClass, type ImageMatches } from './match-image.js'

export interface BootstrapOptions {
  /** `map`: mAP50-95; `map50`: at an overlap of 0.5. Default: map. */
  readonly metric?: 'map' | 'map50'
  /** How often pictures are drawn with replacement; 1000 unless given. */
  readonly resamples?: number
  /** Share of the resamples inside the interval, 0..1. Default: 0.95. */
  readonly confidence?: number
  readonly seed?: number
}

/** Candidate minus reference; 0.01 is one point of mAP. */
export interface AccuracyDifference {
  readonly difference: number
  /** Ends of the percentile interval. */
  readonly low: number
  readonly high: number
  readonly standardError: number
}

/** Compares two models on the same pictures in the same order. At least one picture has an object to find. */
export function bootstrapDifference(
  reference: readonly ImageMatches[],
  candidate: readonly ImageMatches[],
  options: BootstrapOptions = {},
): AccuracyDifference {
  const { metric = 'map', resamples = 1000, confidence = 0.95, seed = 1 } = options
  invariant(
    reference.length === candidate.length && reference.length > 0,
    'both models saw the same pictures',
  )
  const referenceRanks = rankClasses(reference, 'all', detectionsPerClass)
  const candidateRanks = rankClasses(candidate, 'all', detectionsPerClass)
  const differenceOf = (weights?: Float64Array): number =>
    meanAveragePrecision(candidateRanks, metric, weights) -
    meanAveragePrecision(referenceRanks, metric, weights)
  const random = seededRandom(seed)
  const weights = new Float64Array(reference.length)
  const differences = new Float64Array(resamples)
  for (let round = 0; round < resamples; round++) {
    drawWeights(weights, random)
    differences[round] = differenceOf(weights)
  }
  const tail = (1 - confidence) / 2
  return {
    difference: differenceOf(),
    low: quantileOfSorted(differences.sort(), tail),
    high: quantileOfSorted(differences, 1 - tail),
    standardError: standardDeviation(differences),
  }
}

function meanAveragePrecision(
  classes: readonly RankedClass[],
  metric: 'map' | 'map50',
  weights: Float64Array | undefined,
): number {
  let sum = 0
  let counted = 0
  for (const ranked of classes) {
    const result = averagePrecision(ranked, weights)
    if (result === undefined) continue
    const { precision } = result
    sum +=
      metric === 'map50'
        ? precision[0]!
        : precision.reduce((total, each) => total + each, 0) / precision.length
    counted++
  }
  return counted === 0 ? 0 : sum / counted
}

/** Draws as many pictures as there are, with replacement: how often each is drawn. */
function drawWeights(weights: Float64Array, random: Random): void {
  weights.fill(0)
  for (let draw = 0; draw < weights.length; draw++) weights[random.integer(weights.length)]! += 1
}

function standardDeviation(values: Float64Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return Math.sqrt(squares / Math.max(1, values.length - 1))
}
