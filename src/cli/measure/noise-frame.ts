/** A frame of noise, in which nothing is found. Invariant: the same for every model of one input size. */

import { seededRandom } from '../../base/random.js'
import { letterbox } from '../../yolo/letterbox.js'
import type { MeasuredModel } from './measure-accuracy.js'
import type { SpeedFrame } from './measure-speed.js'

export function noiseFrame({ description }: MeasuredModel): Promise<SpeedFrame> {
  const size = { width: description.inputWidth, height: description.inputHeight }
  const pixels = new SharedArrayBuffer(size.width * size.height * 3)
  const bytes = new Uint8Array(pixels)
  const random = seededRandom(1)
  for (let at = 0; at < bytes.length; at++) bytes[at] = random.integer(256)
  return Promise.resolve({ pixels, byteOffset: 0, letterbox: letterbox(size, size) })
}
