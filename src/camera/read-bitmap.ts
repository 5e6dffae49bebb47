/**
 * Windows bitmaps (`.bmp`), which the picture library does not read.
 * Invariant: the size is known from the head before anything is decoded, and a cut-off file is refused.
 */

import { decode } from '@cwasm/nsbmp'
import { AgentError } from '../base/errors.js'
import type { RgbPicture } from '../yolo/resize.js'

/** What of the file decides whether it is a bitmap, how large, and of which form. */
export const bitmapHeadBytes = 34

/** Heads of OS/2 1.x have 12 bytes, and sizes of two bytes; in all others they have four. */
const oldHeadBytes = 12

/** Larger pictures are refused rather than decoded. */
const sideMax = 32_768

function refusal(problem: string): AgentError {
  return new AgentError('image.decode_failed', problem)
}

/** Whether a file that starts with `bytes` is a bitmap. */
export function isBitmap(bytes: Uint8Array): boolean {
  return bytes.length >= bitmapHeadBytes && bytes[0] === 0x42 && bytes[1] === 0x4d
}

/**
 * The size that the head of a bitmap file names. Throws `image.decode_failed` where the file is shorter than its picture, or compressed.
 */
export function bitmapSize(file: Uint8Array): Pick<RgbPicture, 'width' | 'height'> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const isOld = view.getUint32(14, true) === oldHeadBytes
  const width = isOld ? view.getUint16(18, true) : view.getInt32(18, true)
  // A negative height: the first row of the file is the upper one.
  const height = isOld ? view.getUint16(20, true) : Math.abs(view.getInt32(22, true))
  const bits = view.getUint16(isOld ? 24 : 28, true)
  const compression = isOld ? 0 : view.getUint32(30, true)
  if (!(width >= 1 && width <= sideMax && height >= 1 && height <= sideMax))
    throw refusal(`a bitmap of ${width}x${height}, expected sides of 1..${sideMax} pixels`)
  // 0: plain rows; 3 and 6: plain rows with masks that tell the colors.
  if (![0, 3, 6].includes(compression))
    throw refusal('a compressed bitmap, expected plain rows; convert it to PNG')
  const rowBytes = Math.ceil((width * bits) / 32) * 4
  if (view.getUint32(10, true) + rowBytes * height > file.byteLength)
    throw refusal(`a bitmap of ${width}x${height} in ${file.byteLength} bytes: the file is cut off`)
  return { width, height }
}

/** Decodes the whole file; alpha is left out. Throws `image.decode_failed` where it is cut off or of a form that is not read. */
export function decodeBitmap(file: Uint8Array): RgbPicture {
  bitmapSize(file)
  const { width, height, data: rgba } = decode(file)
  const data = new Uint8Array(width * height * 3)
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    data[to] = rgba[from]!
    data[to + 1] = rgba[from + 1]!
    data[to + 2] = rgba[from + 2]!
  }
  return { data, width, height }
}
