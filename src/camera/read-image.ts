/**
 * Picture files as RGB bytes.
 * Invariant: what comes out is upright (EXIF orientation applied), RGB, three channels, without gaps; or an error that names the file.
 * A colour profile inside the file is not applied: models are trained on pictures read that way (OpenCV ignores profiles).
 */

import sharp from 'sharp'
import type { Sharp } from 'sharp'
import { AgentError, messageOf } from '../base/errors.js'
import type { Letterbox } from '../yolo/letterbox.js'
import { letterbox } from '../yolo/letterbox.js'
import type { RgbPicture } from '../yolo/resize.js'
import { fillLetterboxed } from '../yolo/resize.js'

/** A path, or the bytes of a file. JPEG, PNG, WebP, GIF (first frame), TIFF, AVIF and SVG are read. */
export type ImageInput = string | Uint8Array

export interface ImageSize {
  readonly width: number
  readonly height: number
}

export interface LetterboxedImage {
  /** `[height, width, 3]`, RGB, 0..255, grey (114) around the picture. */
  readonly pixels: Uint8Array
  readonly letterbox: Letterbox
}

/** Larger pictures are refused rather than decoded: 268 million pixels are 805 MB of RGB. */
const pixelsMax = 268_402_689

function nameOf(input: ImageInput): string {
  return typeof input === 'string' ? input : `an image of ${input.byteLength} bytes`
}

/** Runs one read; whatever sharp throws becomes `image.decode_failed`. `failOn`: a cut-off file is an error, not a half picture. */
async function decode<T>(input: ImageInput, read: (image: Sharp) => Promise<T>): Promise<T> {
  try {
    return await read(
      sharp(input, {
        failOn: 'truncated',
        ignoreIcc: true,
        limitInputPixels: pixelsMax,
        sequentialRead: true,
      }),
    )
  } catch (thrown) {
    throw new AgentError(
      'image.decode_failed',
      `cannot read ${nameOf(input)} as a picture: ${messageOf(thrown)}`,
      { cause: thrown },
    )
  }
}

/** The size of the upright picture; reads only the head of the file. Throws `image.decode_failed`. */
export async function readImageSize(input: ImageInput): Promise<ImageSize> {
  const { autoOrient } = await decode(input, (image) => image.metadata())
  return { width: autoOrient.width, height: autoOrient.height }
}

/** The whole picture at its own size. Transparent parts become black. Throws `image.decode_failed`. */
export async function readRgb(input: ImageInput): Promise<RgbPicture> {
  const { data, info } = await decode(input, (image) =>
    image
      .autoOrient()
      .flatten()
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true }),
  )
  if (info.channels !== 3) {
    throw new AgentError(
      'image.decode_failed',
      `cannot read ${nameOf(input)} as a picture: expected 3 channels, got ${info.channels}`,
    )
  }
  return { data, width: info.width, height: info.height }
}

/**
 * The picture as a model's input. The resize is yolo/resize, not the library's: that one averages when it shrinks,
 * which is nicer to look at and not what models are trained with. Throws `image.decode_failed`.
 */
export async function readLetterboxed(input: ImageInput, size: ImageSize): Promise<LetterboxedImage> {
  const pixels = new Uint8Array(size.width * size.height * 3)
  return { pixels, letterbox: await readLetterboxedInto(input, size, pixels) }
}

/** As `readLetterboxed`, but fills the caller's `pixels` (may lie in shared memory). */
export async function readLetterboxedInto(
  input: ImageInput,
  size: ImageSize,
  pixels: Uint8Array,
): Promise<Letterbox> {
  const picture = await readRgb(input)
  const box = letterbox(picture, size)
  fillLetterboxed(picture, pixels, box)
  return box
}
