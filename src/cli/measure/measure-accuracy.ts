/** Accuracy of one model on a data set. Invariant: the options of the Ultralytics protocol, so that figures compare. */

import { readFrame } from '../../camera/shared-frame.js'
import { isAgentError } from '../../base/errors.js'
import type { DetectionMetrics } from '../../evaluation/coco-eval.js'
import { evaluate } from '../../evaluation/evaluate.js'
import { type ImageMatches, matchImage } from '../../evaluation/match-image.js'
import { openDetector } from '../../runtime/detector.js'
import type { SessionOptions } from '../../runtime/session-options.js'
import { type Detection, validationOptions } from '../../yolo/detection.js'
import type { ModelDescription } from '../../yolo/model-description.js'
import type { Dataset, LeftOut } from '../dataset/dataset.js'

export interface AccuracyMeasurement {
  readonly metrics: DetectionMetrics
  /** Per picture, for the comparison of two models on the same pictures. */
  readonly matches: readonly ImageMatches[]
  /** Pictures that turned out to be broken behind their head; they do not count, for no model. */
  readonly unreadable: readonly LeftOut[]
  /** The least score that the model gave a box; undefined where it found none. */
  readonly leastScore: number | undefined
}

/** A least score that this many times is above the one that is asked for was not reached by chance. */
const cutFactor = 10

/**
 * Says where the model at `path` leaves out boxes that mAP counts. One with its suppression inside keeps the threshold that it was
 * exported with, whatever is asked for.
 */
export function tellCutScores(
  path: string,
  { output }: ModelDescription,
  { leastScore }: AccuracyMeasurement,
  note: (text: string) => void,
): void {
  if (output.kind !== 'boxes' || leastScore === undefined) return
  if (leastScore < cutFactor * validationOptions.conf) return
  note(
    `${path} gives no box with a score below ${leastScore.toFixed(2)}: it cuts them off itself, which makes its mAP lower than that of the same model exported with nms=None`,
  )
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
        const frame = await readFrame(path, { width, height }).catch((thrown: unknown) => {
          if (!isAgentError(thrown, 'image.decode_failed')) throw thrown
          unreadable.push({ path, problem: thrown.message })
        })
        return frame === undefined ? undefined : (await detector.detect(frame, validationOptions)).detections
      },
      { onProgress },
    )
    const matches = result.images.map(({ item: { groundTruths }, detections }) =>
      matchImage({ groundTruths, detections }),
    )
    const leastOf = (least: number, { score }: Detection): number => Math.min(least, score)
    const leasts = result.images
      .filter(({ detections }) => detections.length > 0)
      .map(({ detections }) => detections.reduce(leastOf, 1))
    const leastScore = leasts.length === 0 ? undefined : leasts.reduce((a, b) => Math.min(a, b))
    return { metrics: result.metrics, matches, unreadable, leastScore }
  } finally {
    await detector.close()
  }
}
