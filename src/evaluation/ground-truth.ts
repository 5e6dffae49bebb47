/**
 * What is really in a picture, as a person marked it.
 * Invariant: boxes are in pixels of the original picture, as detections are.
 */

import type { Box } from '../yolo/boxes.js'
import type { Detection } from '../yolo/detection.js'

export interface GroundTruth extends Box {
  /** Index into the class names of the model that is measured. */
  readonly classIndex: number
  /** Square pixels: of the outline where the data set has one, else of the box. Decides small, medium or large. */
  readonly area: number
  /** A box around many objects that nobody told apart: a detection in it counts neither as right nor as wrong. */
  readonly crowd: boolean
}

/** One picture of a measurement: what is in it and what was found. */
export interface EvaluatedImage {
  readonly groundTruths: readonly GroundTruth[]
  readonly detections: readonly Detection[]
}
