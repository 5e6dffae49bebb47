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
import { type TiffHead, tiffHead } from './tiff-head.js'

/** A path, or the bytes of a file. JPEG, PNG, WebP, GIF (first frame), TIFF (first page) and BMP are read. */
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

/** What the picture library says, each of its lines once: it repeats those of its decoders for every try. */
function problemOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return messageOf(thrown)
  const lines = thrown.message
    .split('\n')
    .map((line) => line.replace('Input file has corrupt header: ', '').trim())
  const problem = [...new Set(lines)].filter((line) => line !== '').join('; ')
  return problem.includes('labq') ? 'its colors are CIELAB, expected gray or RGB; convert it to PNG' : problem
}

function openImage(input: ImageInput, failOn: 'truncated' | 'error'): Sharp {
  return sharp(input, { failOn, ignoreIcc: true, limitInputPixels: pixelsMax, sequentialRead: true })
}

/** Runs one read; whatever it throws becomes `image.decode_failed`. `failOn`: a cut-off file is an error, not a half picture. */
async function decode<T>(
  input: ImageInput,
  read: (image: Sharp, metadata: Metadata, head: TiffHead | undefined) => Promise<T>,
  readBitmap: (file: Uint8Array) => T,
): Promise<T> {
  try {
    const bitmap = await bitmapOf(input)
    if (bitmap !== undefined) return readBitmap(bitmap)
    const image = openImage(input, 'truncated')
    const metadata = await image.metadata()
    const head = metadata.format === 'tiff' ? await readTiffHead(input) : undefined
    requireReadable(metadata, head)
    // Rows that a TIFF lacks are black to the library unless every error counts.
    return await read(head === undefined ? image : openImage(input, 'error'), metadata, head)
  } catch (thrown) {
    const isRefused = typeof input === 'string' && isRefusedKind(input)
    const problem = isRefused ? 'this kind is not read; convert it to JPEG or PNG' : problemOf(thrown)
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
function requireReadable({ format, space, depth }: Metadata, head: TiffHead | undefined): void {
  // The library repeats colors that are stored at half size, where OpenCV's reader blends them.
  if (format === 'heif')
    throw refusal(
      'the colors of an AVIF or HEIF would not be those that models are trained with; convert it to PNG or JPEG',
    )
  if (head !== undefined && !isUsualColor(head))
    throw refusal(
      `its colors are of TIFF's kind ${head.photometric}, expected gray, RGB, a palette or CMYK; convert it to RGB`,
    )
  const isByte = depth === 'uchar'
  const isDeep = depth === 'ushort' && space !== 'cmyk'
  if (!readableSpaces.has(space) || !(isByte || isDeep))
    throw refusal(
      `its samples are ${depth} in ${space}, expected 8 or 16 bits of gray or RGB, or 8 of CMYK; convert it to 8 bits`,
    )
}

/** Gray, RGB, palette and inks; YCbCr where JPEG is inside, whose decoder makes RGB of it. */
function isUsualColor({ photometric, compression }: TiffHead): boolean {
  return [0, 1, 2, 3, 5].includes(photometric) || (photometric === 6 && compression === 7)
}

async function readTiffHead(input: ImageInput): Promise<TiffHead> {
  const head = tiffHead(typeof input === 'string' ? await readFile(input) : input)
  if (head === undefined) throw refusal('its head is not that of a plain TIFF; convert it to PNG')
  return head
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
    async (image, metadata, head) => {
      if (metadata.space === 'cmyk') return readCmyk(image, metadata)
      if (metadata.format === 'gif') await requireOpaque(image)
      return isVeiled(metadata, head) ? readVeiled(image) : readColors(image)
    },
    decodeBitmap,
  )
}

/** Throws where a GIF has transparent pixels: what color OpenCV gives them, the library does not tell. */
async function requireOpaque(image: Sharp): Promise<void> {
  const { isOpaque } = await image.clone().stats()
  if (!isOpaque)
    throw refusal('it has transparent pixels, whose colors in a GIF are not known; convert it to PNG or JPEG')
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

/** The one kind of file whose colors OpenCV multiplies with alpha: a TIFF with 8 bits of red, green, blue, and alpha beside them. */
function isVeiled({ space, depth }: Metadata, head: TiffHead | undefined): boolean {
  return head?.extraSample === 2 && space === 'srgb' && depth === 'uchar'
}

async function readVeiled(image: Sharp): Promise<RgbPicture> {
  const { data: colors, info } = await image
    .autoOrient()
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
  const { width, height, channels } = info
  if (channels !== 4) throw refusal(`expected 3 channels and alpha, got ${channels}`)
  const data = new Uint8Array(width * height * 3)
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    const alpha = colors[from + 3]!
    for (let color = 0; color < 3; color++)
      data[to + color] = Math.trunc((colors[from + color]! * alpha + 127) / 255)
  }
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
      : (ink: number, white: number) => Math.trunc(((255 - ink) * white) / 255)
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
