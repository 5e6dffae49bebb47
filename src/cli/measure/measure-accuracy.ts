/** Accuracy of one model on a data set. Invariant: the options of the Ultralytics protocol, so that figures compare. */

import { readLetterboxedInto } from '../../camera/read-image.js'
import type { DetectionMetrics } from '../../evaluation/coco-eval.js'
import { evaluate } from '../../evaluation/evaluate.js'
import { type ImageMatches, matchImage } from '../../evaluation/match-image.js'
import { openDetector } from '../../runtime/detector.js'
import type { SessionOptions } from '../../runtime/session-options.js'
import { validationOptions } from '../../yolo/detection.js'
import type { ModelDescription } from '../../yolo/model-description.js'
import type { Dataset } from '../dataset/dataset.js'

export interface AccuracyMeasurement {
  readonly metrics: DetectionMetrics
  /** Per picture, for the comparison of two models on the same pictures. */
  readonly matches: readonly ImageMatches[]
}

export interface MeasuredModel {
  readonly bytes: Uint8Array
  readonly description: ModelDescription
}

/** Runs `model` on every picture. Throws `dataset.*`, `image.*`, `inference.*`. */
export async function measureAccuracy(
  model: MeasuredModel,
  { images }: Dataset,
  session: SessionOptions,
  onProgress: (done: number, total: number) => void,
): Promise<AccuracyMeasurement> {
  const { inputWidth: width, inputHeight: height } = model.description
  const detector = await openDetector(model, { niceness: 0, ...session })
  try {
    const result = await evaluate(
      images,
      async ({ path }) => {
        const pixels = new SharedArrayBuffer(width * height * 3)
        const letterbox = await readLetterboxedInto(path, { width, height }, new Uint8Array(pixels))
        const { detections } = await detector.detect({ pixels, byteOffset: 0, letterbox }, validationOptions)
        return detections
      },
      { onProgress },
    )
    const matches = images.map(({ groundTruths }, index) =>
      matchImage({ groundTruths, detections: result.images[index]!.detections }),
    )
    return { metrics: result.metrics, matches }
  } finally {
    await detector.close()
  }
}
