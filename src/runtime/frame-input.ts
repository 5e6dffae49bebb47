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
  if (model.inputLayout === 'nhwc-uint8') {
    return takesSharedMemory ? borrowedInput(model) : copiedInput(model)
  }
  return convertedInput(model)
}

/** The element type of the input of `model`, as ONNX Runtime calls it. */
export function inputTypeOf({ inputLayout }: ModelDescription): 'float32' | 'uint8' {
  return inputLayout.endsWith('uint8') ? 'uint8' : 'float32'
}

function convertedInput(model: ModelDescription): FrameInput {
  const { inputName, inputWidth, inputHeight, inputLayout, inputMax = 1 } = model
  const pixelCount = inputWidth * inputHeight
  const isPlanar = inputLayout.startsWith('nchw')
  const isBytes = inputTypeOf(model) === 'uint8'
  const make = (length: number): Elements => (isBytes ? new Uint8Array(length) : new Float32Array(length))
  const divisor = isBytes ? 1 : 255 / inputMax
  // Rounded to float32 once: what a division of float32 by 255 gives.
  const table = make(256).map((_, byte) => byte / divisor)
  const data = make(3 * pixelCount).fill(table[letterboxPad]!)
  const dims = isPlanar ? [1, 3, inputHeight, inputWidth] : [1, inputHeight, inputWidth, 3]
  const tensor =
    data instanceof Uint8Array ? new Tensor('uint8', data, dims) : new Tensor('float32', data, dims)
  const feeds = { [inputName]: tensor }
  return {
    greyFeeds: () => feeds,
    feedsOf({ pixels, byteOffset }) {
      const bytes = new Uint8Array(pixels, byteOffset, 3 * pixelCount)
      if (isPlanar) fillPlanes(data, bytes, pixelCount, table)
      else fillPixels(data, bytes, table)
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

type Elements = Float32Array | Uint8Array

/** Fills `target` (a red, a green and a blue plane of `pixelCount` elements) with what `table` says of each byte of `pixels`. */
export function fillPlanes(target: Elements, pixels: Uint8Array, pixelCount: number, table: Elements): void {
  const greenStart = pixelCount
  const blueStart = 2 * pixelCount
  for (let pixel = 0, byte = 0; pixel < pixelCount; pixel++, byte += 3) {
    target[pixel] = table[pixels[byte]!]!
    target[greenStart + pixel] = table[pixels[byte + 1]!]!
    target[blueStart + pixel] = table[pixels[byte + 2]!]!
  }
}

/** Fills `target`, pixel by pixel as `pixels` are, with what `table` says of each byte. */
function fillPixels(target: Elements, pixels: Uint8Array, table: Elements): void {
  for (let at = 0; at < pixels.length; at++) target[at] = table[pixels[at]!]!
}
