/**
 * The loop of a measurement: each picture of a data set through a detector, then the figures.
 * Invariant: the result has one entry per picture in the order of the data set, however many run at once.
 */

import { invariant } from '../base/assert.js'
import type { Detection } from '../yolo/detection.js'
import { evaluateDetections, type DetectionMetrics } from './coco-eval.js'
import type { GroundTruth } from './ground-truth.js'

/** What a data set must tell of a picture; a program that reads files adds where the picture is. */
export interface LabelledImage {
  /** Of the picture in its data set: `000000000139.jpg`. */
  readonly name: string
  readonly groundTruths: readonly GroundTruth[]
}

export interface EvaluateOptions {
  /** Pictures in work at the same time. Default: 2, so that one is read while another is in the detector. */
  readonly concurrency?: number
  /** Called after each picture. */
  readonly onProgress?: (done: number, total: number) => void
  /** Ends the measurement between two pictures; its reason is thrown. */
  readonly signal?: AbortSignal
}

/** A finished measurement. Plain data: it can be written as JSON and matched again for a comparison. */
export interface Evaluation {
  readonly metrics: DetectionMetrics
  readonly images: readonly { readonly name: string; readonly detections: readonly Detection[] }[]
}

/**
 * Measures a detector. `detect` is called once per picture; its first error ends the measurement and is thrown.
 * Detections come in pixels of the original picture, found with the validation options for figures that compare.
 * Throws `dataset.folder_unusable` when no picture has an object to find.
 */
export async function evaluate<T extends LabelledImage>(
  items: readonly T[],
  detect: (item: T) => Promise<readonly Detection[]>,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const { concurrency = 2, onProgress, signal } = options
  invariant(Number.isInteger(concurrency) && concurrency >= 1, 'at least one picture is in work')
  const detections: (readonly Detection[])[] = []
  let next = 0
  let done = 0
  let failed = false
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, work))
  const metrics = evaluateDetections(
    items.map(({ groundTruths }, index) => ({ groundTruths, detections: detections[index]! })),
  )
  return { metrics, images: items.map(({ name }, index) => ({ name, detections: detections[index]! })) }

  async function work(): Promise<void> {
    while (next < items.length && !failed) {
      signal?.throwIfAborted()
      const index = next++
      try {
        detections[index] = await detect(items[index]!)
      } catch (thrown) {
        failed = true
        throw thrown
      }
      done++
      onProgress?.(done, items.length)
    }
  }
}
