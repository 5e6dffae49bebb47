/**
 * Whether a picture file can be read, without decoding it where that is not needed.
 * Invariant: a file that passes has a head that names its size, and the end that its kind has; a cut-off file does not pass.
 */

import { open } from 'node:fs/promises'
import { extname } from 'node:path'
import { type ImageSize, readImageSize, readRgb } from './read-image.js'

const jpegEnd = Buffer.from([0xff, 0xd9])
/** The chunk IEND: no bytes, its name, its check sum. */
const pngEnd = Buffer.from([0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82])

const ends: Readonly<Record<string, Buffer>> = {
  '.jpg': jpegEnd,
  '.jpeg': jpegEnd,
  '.jpe': jpegEnd,
  '.jfif': jpegEnd,
  '.mpo': jpegEnd,
  '.png': pngEnd,
}

/**
 * The size of the upright picture at `path`. Reads its head and its last bytes; only a file of a kind without a known
 * end, or with another one, is decoded whole. Throws `image.decode_failed`.
 */
export async function checkImage(path: string): Promise<ImageSize> {
  const size = await readImageSize(path)
  if (!(await hasEnd(path))) await readRgb(path)
  return size
}

async function hasEnd(path: string): Promise<boolean> {
  const expected = ends[extname(path).toLowerCase()]
  if (expected === undefined) return false
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const last = Buffer.alloc(expected.length)
    await file.read(last, 0, last.length, Math.max(0, size - last.length))
    return last.equals(expected)
  } finally {
    await file.close()
  }
}
