/**
 * ffmpeg's filters that letterbox a picture of any size, and say in each frame what its size was.
 *
 *      row 0       the size of the picture, in the first two pixels: (width / 64, height / 64, 1 if too large), (width % 64, ...)
 *      rows 1..H   the letterboxed picture, `[inputHeight, inputWidth, 3]`
 *
 * When the size of the pictures changes in the middle of a stream, ffmpeg builds its filters anew from the same text. A text with a
 * fixed size would then squeeze the new pictures into the old shape without a word; this one is written in the terms of what
 * comes in, so the first picture of the new size is already right, and no frame is lost.
 * Invariant: what the filters draw lies where `letterbox` says, for every size.
 */

import { AgentError } from '../base/errors.js'
import type { Letterbox } from '../yolo/letterbox.js'
import { letterbox, letterboxPad } from '../yolo/letterbox.js'

interface Size {
  /** Pixels. */
  readonly width: number
  readonly height: number
}

/** The first digit of a side in base 64 fits into a byte up to this many pixels. */
const sideMax = 256 * 64
const headerRows = 1

/** `expression` rounded as Python does, in the language of ffmpeg's expressions; at least 1. */
function roundedSide(expression: string): string {
  const below = `floor(${expression})`
  const rest = `(${expression}-${below})`
  return `max(1,${below}+gt(${rest},0.5)+eq(${rest},0.5)*mod(${below},2))`
}

/**
 * The digits of the size as one pixel: `low` selects the digit of both sides. A corner of the picture is cut out whose sides are the
 * digits plus one, and its color set to its own size.
 */
function digitPixel(low: boolean): string {
  const side = (name: string): string => (low ? `mod(${name}-1,64)+1` : `floor((${name}-1)/64)+1`)
  const color = `lutrgb=r=w-1:g=h-1:b='${low ? '0' : 'max(gt(w,256),gt(h,256))'}'`
  return `crop=w='${side('iw')}':h='${side('ih')}':x=0:y=0:exact=1,format=rgb24,${color},crop=w=1:h=1:x=0:y=0`
}

/** The filters; one video comes in, and frames of `inputHeight + 1` rows of `inputWidth` pixels, rgb24, come out. */
export function letterboxFilters({ width, height }: Size): string {
  const scale = `min(${height}/ih,${width}/iw)`
  const grey = `0x${letterboxPad.toString(16).repeat(3)}`
  const x = 'floor((ow-iw)/2)'
  const y = `${headerRows}+floor((${height}-ih)/2)`
  const picture = [
    `scale=w='${roundedSide(`iw*${scale}`)}':h='${roundedSide(`ih*${scale}`)}':flags=bilinear`,
    'format=rgb24',
    `pad=w=${width}:h=${height + headerRows}:x='${x}':y='${y}':color=${grey}`,
  ]
  return [
    'split=3[picture][high][low]',
    `[picture]${picture.join(',')}[letterboxed]`,
    `[high]${digitPixel(false)}[first]`,
    `[low]${digitPixel(true)}[second]`,
    '[first][second]hstack,format=rgba[size]',
    '[letterboxed][size]overlay=x=0:y=0:format=rgb',
  ].join(';')
}

/** Bytes of the rows that stand above the letterboxed picture. */
export function headerBytesOf(inputWidth: number): number {
  return headerRows * inputWidth * 3
}

/** Reads the rows above a frame. Throws `camera.stream_broken` for a picture larger than can be told. */
function pictureSizeIn(header: Uint8Array): Size {
  const [highWidth = 0, highHeight = 0, isTooLarge = 0, lowWidth = 0, lowHeight = 0] = header
  if (isTooLarge !== 0)
    throw new AgentError(
      'camera.stream_broken',
      `the picture is too large; expected at most ${sideMax} x ${sideMax} pixels`,
    )
  return { width: highWidth * 64 + lowWidth + 1, height: highHeight * 64 + lowHeight + 1 }
}

/** The geometry that the rows above a frame tell; `before` itself when nothing has changed. */
export function geometryIn(header: Uint8Array, before: Letterbox): Letterbox {
  const size = pictureSizeIn(header)
  if (size.width === before.sourceWidth && size.height === before.sourceHeight) return before
  return letterbox(size, { width: before.inputWidth, height: before.inputHeight })
}
