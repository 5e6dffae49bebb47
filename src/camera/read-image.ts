/**
 * Picture files as RGB bytes: those that Ultralytics' reader gives (OpenCV), for every kind of test/bench/pictures.md.
 * Invariant: what comes out is upright (EXIF orientation applied), RGB, three channels, without gaps; or an error that names the file.
 * As OpenCV does, a color profile inside the file is not applied, and alpha is left out, so that transparent parts keep
 * their color: models are trained on pictures read that way.
 */

import { open, readFile } from 'node:fs/promises'
import sharp from 'sharp'
import type { Metadata, Sharp } from 'sharp'
import { AgentError, messageOf } from '../base/errors.js'
import type { Letterbox } from '../yolo/letterbox.js'
import { letterbox } from '../yolo/letterbox.js'
import type { RgbPicture } from '../yolo/resize.js'
import { fillLetterboxed } from '../yolo/resize.js'
import { isRefusedKind } from './image-files.js'
import { bitmapHeadBytes, bitmapSize, decodeBitmap, isBitmap } from './read-bitmap.js'

/** A path, or the bytes of a file. JPEG, PNG, WebP, GIF (first frame), TIFF (first page), BMP and AVIF are read. */
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

function refusal(problem: string): AgentError {
  return new AgentError('image.decode_failed', problem)
}

/** Runs one read; whatever it throws becomes `image.decode_failed`. `failOn`: a cut-off file is an error, not a half picture. */
async function decode<T>(
  input: ImageInput,
  read: (image: Sharp, metadata: Metadata) => Promise<T>,
  readBitmap: (file: Uint8Array) => T,
): Promise<T> {
  try {
    const bitmap = await bitmapOf(input)
    if (bitmap !== undefined) return readBitmap(bitmap)
    const image = sharp(input, {
      failOn: 'truncated',
      ignoreIcc: true,
      limitInputPixels: pixelsMax,
      sequentialRead: true,
    })
    const metadata = await image.metadata()
    requireReadable(input, metadata)
    return await read(image, metadata)
  } catch (thrown) {
    const isRefused = typeof input === 'string' && isRefusedKind(input)
    const problem = isRefused ? 'this kind is not read; convert it to JPEG or PNG' : messageOf(thrown)
    throw new AgentError('image.decode_failed', `cannot read ${nameOf(input)} as a picture: ${problem}`, {
      cause: thrown,
    })
  }
}

/** The whole file where it begins as a bitmap does. */
async function bitmapOf(input: ImageInput): Promise<Uint8Array | undefined> {
  if (typeof input !== 'string') return isBitmap(input) ? input : undefined
  const file = await open(input)
  try {
    const head = new Uint8Array(bitmapHeadBytes)
    const { bytesRead } = await file.read(head, 0, head.length, 0)
    if (!isBitmap(head.subarray(0, bytesRead))) return undefined
  } finally {
    await file.close()
  }
  return readFile(input)
}

const readableSpaces: ReadonlySet<string> = new Set(['srgb', 'rgb16', 'b-w', 'grey16', 'cmyk'])

/** Throws where the samples are of a kind whose pixels would not be those of OpenCV. */
function requireReadable(input: ImageInput, { space, depth, format }: Metadata): void {
  if (typeof input === 'string' && format === 'tiff' && isRefusedKind(input))
    throw refusal('a raw photograph')
  const isByte = depth === 'uchar'
  const isDeep = depth === 'ushort' && space !== 'cmyk'
  if (!readableSpaces.has(space) || !(isByte || isDeep))
    throw refusal(
      `its samples are ${depth} in ${space}, expected 8 or 16 bits of gray or RGB, or 8 of CMYK; convert it to 8 bits`,
    )
}

/** The size of the upright picture; reads only the head of the file. Throws `image.decode_failed`. */
export async function readImageSize(input: ImageInput): Promise<ImageSize> {
  return decode(
    input,
    (_, { autoOrient: { width, height } }) => Promise.resolve({ width, height }),
    (file) => bitmapSize(file),
  )
}

/** The whole picture at its own size. Throws `image.decode_failed`. */
export async function readRgb(input: ImageInput): Promise<RgbPicture> {
  return decode(
    input,
    async (image, metadata) => (metadata.space === 'cmyk' ? readCmyk(image, metadata) : readColors(image)),
    decodeBitmap,
  )
}

async function readColors(image: Sharp): Promise<RgbPicture> {
  const { data, info } = await image
    .autoOrient()
    .removeAlpha()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
  const { width, height, channels } = info
  if (channels !== 3) throw refusal(`expected 3 channels, got ${channels}`)
  return { data, width, height }
}

/** Inks to light without a profile: what is left of a color times what is left of black, rounded as each of OpenCV's readers does. */
async function readCmyk(image: Sharp, { format }: Metadata): Promise<RgbPicture> {
  const { data: inks, info } = await image
    .autoOrient()
    .pipelineColourspace('cmyk')
    .toColourspace('cmyk')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
  const { width, height, channels } = info
  if (channels < 4) throw refusal(`expected 4 inks, got ${channels}`)
  const light =
    format === 'jpeg'
      ? (ink: number, white: number) => white - ((ink * white) >> 8)
      : (ink: number, white: number) => Math.round(((255 - ink) * white) / 255)
  const data = new Uint8Array(width * height * 3)
  for (let from = 0, to = 0; to < data.length; from += channels, to += 3) {
    const white = 255 - inks[from + 3]!
    for (let color = 0; color < 3; color++) data[to + color] = light(inks[from + color]!, white)
  }
  return { data, width, height }
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
