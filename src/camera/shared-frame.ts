/**
 * Single pictures as frames: letterboxed RGB pixels in memory that the thread of a session reads as well.
 * Invariant: a frame owns its memory, height x width x 3 bytes from its beginning.
 */

import { seededRandom } from '../base/random.js'
import { letterbox, type Letterbox } from '../yolo/letterbox.js'
import { type ImageInput, type ImageSize, readLetterboxedInto } from './read-image.js'

/** One picture in shared memory. */
export interface SharedFrame {
  readonly pixels: SharedArrayBuffer
  readonly byteOffset: number
  readonly letterbox: Letterbox
}

/** Reads a picture into a frame of `size`. Throws `image.decode_failed`. */
export async function readFrame(input: ImageInput, { width, height }: ImageSize): Promise<SharedFrame> {
  const pixels = new SharedArrayBuffer(width * height * 3)
  const placed = await readLetterboxedInto(input, { width, height }, new Uint8Array(pixels))
  return { pixels, byteOffset: 0, letterbox: placed }
}

/** A copy of `bytes`, the pixels of a frame, that lie in its picture as `placed` says. */
export function copiedFrame(bytes: Uint8Array, placed: Letterbox): SharedFrame {
  const pixels = new SharedArrayBuffer(bytes.byteLength)
  new Uint8Array(pixels).set(bytes)
  return { pixels, byteOffset: 0, letterbox: placed }
}

/** Noise, in which nothing is found; the same each time. */
export function noiseFrame(size: ImageSize): SharedFrame {
  const random = seededRandom(1)
  const bytes = Uint8Array.from({ length: size.width * size.height * 3 }, () => random.integer(256))
  return copiedFrame(bytes, letterbox(size, size))
}
