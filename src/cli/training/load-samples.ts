/** Reads the pictures of a data set for training. Invariant: each picture is read once and stays in memory at input size. */

import { readLetterboxedInto } from '../../camera/read-image.js'
import type { Sample } from '../../training/ports.js'
import type { Dataset } from '../dataset/dataset.js'

const readersAtOnce = 4

/** The pictures of `dataset` letterboxed to `size`, with their targets in input pixels. Throws `image.decode_failed`. */
export async function loadSamples(
  { images }: Dataset,
  size: { readonly width: number; readonly height: number },
  onProgress: (done: number, total: number) => void,
): Promise<readonly Sample[]> {
  const samples: Sample[] = []
  let next = 0
  let done = 0
  await Promise.all(Array.from({ length: readersAtOnce }, read))
  return samples

  async function read(): Promise<void> {
    for (let index = next++; index < images.length; index = next++) {
      const { path, groundTruths } = images[index]!
      const pixels = new Uint8Array(size.width * size.height * 3)
      const { scale, padLeft, padTop } = await readLetterboxedInto(path, size, pixels)
      const targets = groundTruths
        .filter(({ crowd }) => !crowd)
        .map(({ classIndex, x1, y1, x2, y2 }) => ({
          classIndex,
          x1: x1 * scale + padLeft,
          y1: y1 * scale + padTop,
          x2: x2 * scale + padLeft,
          y2: y2 * scale + padTop,
        }))
      samples[index] = { pixels, targets }
      onProgress(++done, images.length)
    }
  }
}
