/** Accuracy of one model on a data set. Invariant: the options of the Ultralytics protocol, so that figures compare. */

import { isAgentError } from '../../base/errors.js'
import { readLetterboxedInto } from '../../camera/read-image.js'
import type { DetectionMetrics } from '../../evaluation/coco-eval.js'
import { evaluate } from '../../evaluation/evaluate.js'
import { type ImageMatches, matchImage } from '../../evaluation/match-image.js'
import { openDetector } from '../../runtime/detector.js'
import type { SessionOptions } from '../../runtime/session-options.js'
import { validationOptions } from '../../yolo/detection.js'
import type { ModelDescription } from '../../yolo/model-description.js'
import type { Dataset, LeftOut } from '../dataset/dataset.js'

export interface AccuracyMeasurement {
  readonly metrics: DetectionMetrics
  /** Per picture, for the comparison of two models on the same pictures. */
  readonly matches: readonly ImageMatches[]
  /** Pictures that turned out to be broken behind their head; they do not count, for no model. */
  readonly unreadable: readonly LeftOut[]
}

export interface MeasuredModel {
  readonly bytes: Uint8Array
  readonly description: ModelDescription
}

/** Runs `model` on every picture. Throws `dataset.*`, `inference.*`. */
export async function measureAccuracy(
  model: MeasuredModel,
  { images }: Dataset,
  session: SessionOptions,
  onProgress: (done: number, total: number) => void,
): Promise<AccuracyMeasurement> {
  const { inputWidth: width, inputHeight: height } = model.description
  const unreadable: LeftOut[] = []
  const detector = await openDetector(model, { niceness: 0, ...session })
  try {
    const result = await evaluate(
      images,
      async ({ path }) => {
        const pixels = new SharedArrayBuffer(width * height * 3)
        const letterbox = await readLetterboxedInto(path, { width, height }, new Uint8Array(pixels)).catch(
          (thrown: unknown) => {
            if (!isAgentError(thrown, 'image.decode_failed')) throw thrown
            unreadable.push({ path, problem: thrown.message })
          },
        )
        if (letterbox === undefined) return undefined
        const { detections } = await detector.detect({ pixels, byteOffset: 0, letterbox }, validationOptions)
        return detections
      },
      { onProgress },
    )
    const matches = result.images.map(({ item: { groundTruths }, detections }) =>
      matchImage({ groundTruths, detections }),
    )
    return { metrics: result.metrics, matches, unreadable }
  } finally {
    await detector.close()
  }
}
