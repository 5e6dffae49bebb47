/**
 * How differently two networks look at a picture: the distance of their attention maps, and its gradient.
 * Formula: Zagoruyko & Komodakis 2017, "Paying more attention to attention": a map is the mean of a^2 over the channels, brought to
 * length one; here the distance is 1 - cos.
 * Invariant: the number of channels may differ, so a pruned network can be compared with the one it was made of; the loss is
 * smallest, and its gradient zero, where both look at the same places.
 */

import { invariant } from '../../base/assert.js'
import type { HeadLoss } from './detection-loss.js'
import type { HeadValues } from './head-batch.js'

/** A feature map of both networks, `[N, channels, cells]`; only the channels may differ. */
export interface FeaturePair {
  readonly own: string
  readonly teacher: string
  /** Columns times rows of the map. */
  readonly cells: number
}

/**
 * The loss of one picture at a level whose attention is orthogonal to the teacher's. The loss of the heads is a few units, so that neither
 * drowns the other.
 */
const defaultGain = 1

/** The loss over a batch of pictures; the gradients are those of the own feature maps alone. */
export function attentionLoss(
  batch: number,
  pairs: readonly FeaturePair[],
  own: HeadValues,
  teacher: HeadValues,
  gain = defaultGain,
): HeadLoss {
  let sum = 0
  const gradients = new Map<string, Float32Array>()
  for (const pair of pairs) {
    const [features, wanted] = [own.get(pair.own)!, teacher.get(pair.teacher)!]
    const size = features.length / batch
    invariant(Number.isInteger(size / pair.cells), `${pair.own} has ${pair.cells} cells`)
    const slope = new Float32Array(features.length)
    for (let image = 0; image < batch; image++) {
      const ofImage = (data: Float32Array): Float32Array =>
        data.subarray((image * data.length) / batch, ((image + 1) * data.length) / batch)
      sum += imageLoss(ofImage(features), ofImage(wanted), pair.cells, gain, ofImage(slope))
    }
    gradients.set(pair.own, slope)
  }
  return { loss: { box: 0, cls: 0, dfl: 0, neck: (gain * sum) / batch, total: gain * sum }, gradients }
}

/** 1 - cos of the two maps of a picture; fills `slope` with its derivative times `gain`. */
function imageLoss(
  own: Float32Array,
  wanted: Float32Array,
  cells: number,
  gain: number,
  slope: Float32Array,
): number {
  const [map, target] = [attention(own, cells), attention(wanted, cells)]
  const length = lengthOf(map)
  const targetLength = lengthOf(target)
  if (length === 0 || targetLength === 0) return 0
  let cosine = 0
  for (let cell = 0; cell < cells; cell++) cosine += (map[cell]! / length) * (target[cell]! / targetLength)
  const channels = own.length / cells
  // By the map: (cos * map / |map| - target / |target|) / |map|; by the features times 2 a / channels.
  for (let cell = 0; cell < cells; cell++) {
    const byMap = ((cosine * map[cell]!) / length - target[cell]! / targetLength) / length
    map[cell] = (2 * gain * byMap) / channels
  }
  for (let at = 0; at < own.length; at++) slope[at] = map[at % cells]! * own[at]!
  return 1 - cosine
}

/** The mean of a^2 over the channels, by cell. */
function attention(features: Float32Array, cells: number): Float64Array {
  const map = new Float64Array(cells)
  for (let start = 0; start < features.length; start += cells)
    for (let cell = 0; cell < cells; cell++) map[cell]! += features[start + cell]! ** 2
  const channels = features.length / cells
  return map.map((sum) => sum / channels)
}

function lengthOf(map: Float64Array): number {
  return Math.sqrt(map.reduce((sum, value) => sum + value * value, 0))
}
