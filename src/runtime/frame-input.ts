/**
 * From a frame slot to what a run reads.
 * Invariant: pixels are RGB, row by row, three bytes each; they are copied only where the session or the model wants them
 * otherwise than they lie; nothing as large as a frame is allocated for each.
 */

import { Tensor } from 'onnxruntime-node'
import { letterboxPad } from '../yolo/letterbox.js'
import type { ModelDescription } from '../yolo/model-description.js'
import type { NamedTensors } from './backend.js'

/** Pixels of the model's input size in shared memory, from `byteOffset` on. */
export interface FrameSlot {
  readonly pixels: SharedArrayBuffer
  readonly byteOffset: number
}

export interface FrameInput {
  /** A grey picture. */
  greyFeeds(): NamedTensors
  /** The frame of `slot`, whose pixels do not change before the run ends; the feeds are valid until the next call. */
  feedsOf(slot: FrameSlot): NamedTensors
}

/** How frames get into `model`; `takesSharedMemory`: whether the session reads them where they lie, if they are bytes. */
export function frameInput(model: ModelDescription, takesSharedMemory: boolean): FrameInput {
  if (model.inputLayout === 'nchw-float') return planarInput(model)
  return takesSharedMemory ? borrowedInput(model) : copiedInput(model)
}

function planarInput({ inputName, inputWidth, inputHeight }: ModelDescription): FrameInput {
  const pixelCount = inputWidth * inputHeight
  const data = new Float32Array(3 * pixelCount).fill(letterboxPad / 255)
  const feeds = { [inputName]: new Tensor('float32', data, [1, 3, inputHeight, inputWidth]) }
  return {
    greyFeeds: () => feeds,
    feedsOf({ pixels, byteOffset }) {
      fillPlanarFloat(data, new Uint8Array(pixels, byteOffset, 3 * pixelCount), pixelCount)
      return feeds
    },
  }
}

function copiedInput(model: ModelDescription): FrameInput {
  const data = greyBytes(model)
  const feeds = byteFeeds(model, data)
  return {
    greyFeeds: () => feeds,
    feedsOf({ pixels, byteOffset }) {
      data.set(new Uint8Array(pixels, byteOffset, data.length))
      return feeds
    },
  }
}

function borrowedInput(model: ModelDescription): FrameInput {
  const byteLength = 3 * model.inputWidth * model.inputHeight
  return {
    greyFeeds: () => byteFeeds(model, greyBytes(model)),
    feedsOf: ({ pixels, byteOffset }) => byteFeeds(model, new Uint8Array(pixels, byteOffset, byteLength)),
  }
}

function greyBytes({ inputWidth, inputHeight }: ModelDescription): Uint8Array {
  return new Uint8Array(3 * inputWidth * inputHeight).fill(letterboxPad)
}

function byteFeeds({ inputName, inputWidth, inputHeight }: ModelDescription, data: Uint8Array): NamedTensors {
  return { [inputName]: new Tensor('uint8', data, [1, inputHeight, inputWidth, 3]) }
}

/** Value of each byte as a fraction, rounded to float32 once: what a division of float32 by 255 gives. */
const fractions = Float32Array.from({ length: 256 }, (_, byte) => byte / 255)

/** Fills `target` (3 x `pixelCount` floats: a red, a green and a blue plane, 0..1) from `pixels`. */
export function fillPlanarFloat(target: Float32Array, pixels: Uint8Array, pixelCount: number): void {
  const greenStart = pixelCount
  const blueStart = 2 * pixelCount
  for (let pixel = 0, byte = 0; pixel < pixelCount; pixel++, byte += 3) {
    target[pixel] = fractions[pixels[byte]!]!
    target[greenStart + pixel] = fractions[pixels[byte + 1]!]!
    target[blueStart + pixel] = fractions[pixels[byte + 2]!]!
  }
}
