/**
 * Makes the batch of any step.
 * Invariant: a batch follows from seed and step alone, so that a run that goes on sees what it would have seen.
 */

import { seededRandom, shuffle } from '../../base/random.js'
import type { TargetBox } from '../loss/assign-targets.js'
import type { Batch, Sample } from '../ports.js'
import { type AugmentationOptions, composePicture, type PictureSize } from './compose-picture.js'

export interface BatchOptions {
  readonly batch: number
  readonly size: PictureSize
  readonly seed: number
  readonly augmentation: AugmentationOptions
  /** From this step on pictures are made of one sample each: what the network will see in use. */
  readonly mosaicUntil?: number
}

/** The batch of step `step` (from 1) of samples that are all in memory. */
export function makeBatch(samples: readonly Sample[], step: number, options: BatchOptions): Batch {
  const { batch, size, seed, augmentation, mosaicUntil = Infinity } = options
  const random = seededRandom(seed * 7919 + step * 104729)
  const pictureSize = 3 * size.width * size.height
  const images = new Float32Array(batch * pictureSize)
  const own = step < mosaicUntil ? augmentation : { ...augmentation, mosaic: 0 }
  const order = epochOrder(samples.length, seed, Math.floor(((step - 1) * batch) / samples.length))
  const targets: (readonly TargetBox[])[] = []
  for (let index = 0; index < batch; index++) {
    const place = ((step - 1) * batch + index) % samples.length
    let isFirst = true
    // Each picture of an epoch is the first sample once; the others of a mosaic are any.
    const draw = (): Sample => {
      const chosen = isFirst ? order[place]! : random.integer(samples.length)
      isFirst = false
      return samples[chosen]!
    }
    const into = images.subarray(index * pictureSize, (index + 1) * pictureSize)
    targets.push(composePicture(draw, size, random, own, into))
  }
  return { images, targets }
}

let known:
  | {
      readonly count: number
      readonly seed: number
      readonly epoch: number
      readonly order: readonly number[]
    }
  | undefined

/** The samples in the order of an epoch; kept for the next call. */
function epochOrder(count: number, seed: number, epoch: number): readonly number[] {
  if (known?.count !== count || known.seed !== seed || known.epoch !== epoch) {
    const order = shuffle(
      Array.from({ length: count }, (_, index) => index),
      seededRandom(seed + 31 * epoch + 1),
    )
    known = { count, seed, epoch, order }
  }
  return known.order
}
