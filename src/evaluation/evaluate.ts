/**
 * The loop of a measurement: each picture of a data set through a detector, then the figures.
 * Invariant: the result has one entry per picture in the order of the data set, however many run at once.
 */

import { inParallel } from '../base/in-parallel.js'
import type { Detection } from '../yolo/detection.js'
import { evaluateDetections, type DetectionMetrics } from './coco-eval.js'
import type { GroundTruth } from './ground-truth.js'

/** What a data set must tell of a picture; a program that reads files adds where the picture is. */
export interface LabelledImage {
  /** The name of the picture in its data set, such as `000000000139.jpg`. */
  readonly name: string
  readonly groundTruths: readonly GroundTruth[]
}

export interface EvaluateOptions {
  /** Pictures in work at the same time. Default: 2, so that one is read while another is in the detector. */
  readonly concurrency?: number
  /** Is called after each picture with how many are done, of how many. */
  readonly onProgress?: (done: number, total: number) => void
  /** Ends the measurement between two pictures; its reason is thrown. */
  readonly signal?: AbortSignal
}

/** What a measurement found. */
export interface Evaluation<T extends LabelledImage> {
  readonly metrics: DetectionMetrics
  /** The pictures that count, in the order of the data set. */
  readonly images: readonly { readonly item: T; readonly detections: readonly Detection[] }[]
}

/**
 * Measures a detector. `detect` is called once per picture; its first error ends the measurement and is thrown. Where it
 * gives nothing, because the picture cannot be read, the picture does not count.
 * Detections come in pixels of the original picture, found with the validation options for figures that compare.
 * Throws `dataset.folder_unusable` when no picture has an object to find.
 */
export async function evaluate<T extends LabelledImage>(
  items: readonly T[],
  detect: (item: T) => Promise<readonly Detection[] | undefined>,
  options: EvaluateOptions = {},
): Promise<Evaluation<T>> {
  const { concurrency = 2, onProgress, signal } = options
  let done = 0
  const detections = await inParallel(items, concurrency, async (item) => {
    signal?.throwIfAborted()
    const found = await detect(item)
    onProgress?.(++done, items.length)
    return found
  })
  const images = items.flatMap((item, index) => {
    const found = detections[index]
    return found === undefined ? [] : [{ item, detections: found }]
  })
  const metrics = evaluateDetections(
    images.map(({ item: { groundTruths }, detections: found }) => ({ groundTruths, detections: found })),
  )
  return { metrics, images }
}
