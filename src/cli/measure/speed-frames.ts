/**
 * Frames to measure speed with. How much a model computes may depend on what it sees, so pictures tell more than noise.
 * Invariant: the same frames for every model of one input size.
 */

import { noiseFrame, readFrame } from '../../camera/shared-frame.js'
import type { MeasuredModel } from './measure-accuracy.js'
import type { SpeedFrame } from './measure-speed.js'

/** So many pictures take turns at most. */
export const picturesMost = 16

/** Noise, in which nothing is found. */
export function noiseFrames({ description }: MeasuredModel): Promise<readonly SpeedFrame[]> {
  const size = { width: description.inputWidth, height: description.inputHeight }
  return Promise.resolve([noiseFrame(size)])
}

/** Some of the pictures at `paths`, evenly chosen, for any model; noise where there are none. The frames throw `image.*`. */
export function pictureFrames(
  paths: readonly string[],
): (model: MeasuredModel) => Promise<readonly SpeedFrame[]> {
  return (model) => (paths.length === 0 ? noiseFrames(model) : readFrames(model, paths))
}

async function readFrames(model: MeasuredModel, paths: readonly string[]): Promise<readonly SpeedFrame[]> {
  const { inputWidth: width, inputHeight: height } = model.description
  const count = Math.min(picturesMost, paths.length)
  const chosen = Array.from(
    { length: count },
    (_, index) => paths[Math.floor((index * paths.length) / count)]!,
  )
  return Promise.all(chosen.map((path) => readFrame(path, { width, height })))
}
