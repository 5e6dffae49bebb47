/** Pictures of every kind, read here and by Ultralytics. Invariant: the pixels of Ultralytics come from the fixture alone. */

import { readFileSync } from 'node:fs'
import { messageOf } from '../../src/base/errors.js'
import { readRgb } from '../../src/camera/read-image.js'
import { fixture } from './paths.js'

type Expected =
  { readonly width: number; readonly height: number; readonly rgb: string } | { readonly error: string }

export interface PictureReading {
  /** File name of the fixture: its kind. */
  readonly file: string
  /** Largest and mean difference of a byte from Ultralytics; undefined where one of both gives no picture. */
  readonly difference: { readonly largest: number; readonly mean: number } | undefined
  /** Why it is not read here. */
  readonly refused: string | undefined
  /** Why Ultralytics gives no pixels. */
  readonly reference: string | undefined
}

/** The kinds whose pixels differ, or that Ultralytics reads and this project does not: why. */
export const explainedPictures: Readonly<Record<string, string>> = {
  'avif.avif':
    'the picture library repeats colors that are stored at half size, OpenCV blends them: convert it',
  'avif-alpha.avif': 'as avif.avif',
  'avif-444.avif': 'as avif.avif, and rounded otherwise on the way to RGB',
  'gif-transparent.gif':
    'OpenCV paints transparent pixels in the background color, which the picture library does not tell',
  'bmp-8-rle.bmp': 'compressed bitmaps are hardly ever written: convert them',
  'jp2.jp2': 'the picture library has no JPEG 2000: convert it',
  'pnm.pgm': 'not a kind that data sets of Ultralytics take: convert it',
  'pnm.ppm': 'not a kind that data sets of Ultralytics take: convert it',
  'tiff-lab.tif': 'the picture library does not read it: convert it',
  'tiff-ycbcr.tif': 'the picture library takes it for RGB: convert it',
}

/** Reads every picture of the fixture. */
export async function readPictureKinds(): Promise<readonly PictureReading[]> {
  const expected = JSON.parse(readFileSync(fixture('pictures', 'expected.json'), 'utf8')) as Readonly<
    Record<string, Expected>
  >
  return Promise.all(Object.entries(expected).map(([file, each]) => readOne(file, each)))
}

async function readOne(file: string, expected: Expected): Promise<PictureReading> {
  const reference = 'error' in expected ? expected.error : undefined
  const picture = await readRgb(fixture('pictures', file)).catch(messageOf)
  if (typeof picture === 'string')
    return { file, difference: undefined, refused: picture.replace(fixture('pictures', ''), ''), reference }
  if ('error' in expected) return { file, difference: undefined, refused: undefined, reference }
  const bytes = Buffer.from(expected.rgb, 'base64')
  const isSize = picture.width === expected.width && picture.height === expected.height
  const differences = isSize ? [...bytes].map((byte, at) => Math.abs(byte - picture.data[at]!)) : [Infinity]
  const mean = differences.reduce((sum, each) => sum + each, 0) / differences.length
  return { file, difference: { largest: Math.max(...differences), mean }, refused: undefined, reference }
}

/** The document: one row a kind. */
export function picturesTable(readings: readonly PictureReading[]): string {
  const rows = readings.map(({ file, difference, refused, reference }) => {
    const ours =
      refused !== undefined
        ? 'refused'
        : difference === undefined
          ? 'read'
          : difference.largest === 0
            ? 'equal'
            : `largest difference ${difference.largest}, mean ${difference.mean.toFixed(2)}`
    const why = [explainedPictures[file], refused?.replace(/^cannot read \S+ as a picture: /, '')]
    const told = why.filter((each) => each !== undefined).join('. Told: ')
    return `| ${file} | ${ours} | ${reference ?? 'read'} | ${told.replaceAll('|', '\\|')} |`
  })
  const head = [
    '# Kinds of pictures',
    '',
    'Written by `npm run bench -- pictures`. Pixels beside those of the reader of Ultralytics 8.4.190 (OpenCV, red first), from',
    '[a fixture](../fixtures/pictures/README.md) of tiny pictures in saturated colors, in units of 0..255. JPEG is equal to the bit:',
    'both libraries decode with the same integers.',
    '',
    '| picture | pixels here | Ultralytics | why |',
    '| --- | --- | --- | --- |',
  ]
  return `${[...head, ...rows].join('\n')}\n`
}
