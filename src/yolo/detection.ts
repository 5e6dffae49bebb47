/** What a detector finds. */

export interface Detection {
  /** Index into the model's class names. */
  readonly classIndex: number
  /** Confidence, 0..1. */
  readonly score: number
  /** Box corners in pixels of the original picture, x1 <= x2, y1 <= y2, clipped to the picture. */
  readonly x1: number
  readonly y1: number
  readonly x2: number
  readonly y2: number
}

/** Which detections are kept; the names and defaults of the Ultralytics protocol. */
export interface DetectionOptions {
  /** Smallest score, 0..1. */
  readonly conf: number
  /** Boxes of one class that overlap more than this are one object, 0..1. */
  readonly iou: number
  /** How many detections at the most. */
  readonly maxDet: number
  /** One box may yield several classes (validation) or only its best (prediction). */
  readonly multiLabel: boolean
}

export const predictionOptions: DetectionOptions = { conf: 0.25, iou: 0.7, maxDet: 300, multiLabel: false }
export const validationOptions: DetectionOptions = { conf: 0.001, iou: 0.7, maxDet: 300, multiLabel: true }
