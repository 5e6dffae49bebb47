/**
 * The golden set of a bundle: pictures with labels that every variant is tried on before it serves, as one file.
 *
 *     "YEGOLDEN"   8 bytes
 *     length       4 bytes, little-endian: of the index
 *     index        JSON: the data set's name, and of each picture its name, file size and objects
 *     pictures     the files (JPEG, PNG, ...) one after the other, in the order of the index
 *
 * Invariant: a parsed set is consistent: the sizes of the index add up to exactly what follows it.
 */

import * as v from 'valibot'
import { AgentError } from '../base/errors.js'
import { amountField, integerField, lineField, listField, numberField } from './fields.js'
import { jsonPayload } from './json-payload.js'
import { limits } from './limits.js'

/** An object in a picture: the shape of evaluation's ground truth. */
export interface GoldenObject {
  /** Index into the manifest's class names. */
  readonly classIndex: number
  /** Corners in pixels of the upright picture. */
  readonly x1: number
  readonly y1: number
  readonly x2: number
  readonly y2: number
  /** Square pixels. */
  readonly area: number
  /** A box around many objects that nobody told apart. */
  readonly crowd: boolean
}

export interface GoldenPicture {
  readonly name: string
  /** The picture file. */
  readonly bytes: Uint8Array
  readonly objects: readonly GoldenObject[]
}

export interface GoldenSet {
  /** Its name in accuracy figures: figures of the same data set compare. */
  readonly dataset: string
  readonly pictures: readonly GoldenPicture[]
}

interface GoldenIndex {
  readonly dataset: string
  readonly pictures: readonly {
    readonly name: string
    readonly sizeBytes: number
    readonly objects: readonly GoldenObject[]
  }[]
}

const magic = new TextEncoder().encode('YEGOLDEN')
const headBytes = magic.length + 4
const pixelField = numberField(-1e6, 1e6)

const indexSchema: v.GenericSchema<unknown, GoldenIndex> = v.object({
  dataset: lineField(120),
  pictures: listField(
    v.object({
      name: lineField(200),
      sizeBytes: integerField(1, 256 * 1024 * 1024),
      objects: listField(
        v.object({
          classIndex: integerField(0, 9_999),
          x1: pixelField,
          y1: pixelField,
          x2: pixelField,
          y2: pixelField,
          area: amountField,
          crowd: v.boolean(),
        }),
        10_000,
      ),
    }),
    100_000,
  ),
})

const index = jsonPayload<GoldenIndex>({
  what: 'golden set index',
  schema: indexSchema,
  bytesMax: limits.goldenIndexBytes,
  version: 1,
})

/** Writes a golden set. Throws `protocol.*` when a reader would refuse it. */
export function encodeGolden({ dataset, pictures }: GoldenSet): Uint8Array {
  const text = index.encode({
    dataset,
    pictures: pictures.map(({ name, bytes, objects }) => ({ name, sizeBytes: bytes.byteLength, objects })),
  })
  const startBytes = headBytes + text.byteLength
  const file = new Uint8Array(pictures.reduce((sum, { bytes }) => sum + bytes.byteLength, startBytes))
  file.set(magic)
  new DataView(file.buffer).setUint32(magic.length, text.byteLength, true)
  file.set(text, headBytes)
  let at = startBytes
  for (const { bytes } of pictures) {
    file.set(bytes, at)
    at += bytes.byteLength
  }
  return file
}

/** Reads a golden set; its pictures are views into `file`. Throws `protocol.payload_malformed` and the like. */
export function parseGolden(file: Uint8Array): GoldenSet {
  if (file.byteLength < headBytes || magic.some((byte, at) => file[at] !== byte))
    throw malformed(`it does not begin with ${new TextDecoder().decode(magic)}`)
  const indexBytes = new DataView(file.buffer, file.byteOffset).getUint32(magic.length, true)
  const { dataset, pictures } = index.parse(file.subarray(headBytes, headBytes + indexBytes))
  let at = headBytes + indexBytes
  const read = pictures.map(({ name, sizeBytes, objects }): GoldenPicture => {
    const bytes = file.subarray(at, at + sizeBytes)
    at += sizeBytes
    return { name, bytes, objects }
  })
  if (at !== file.byteLength) throw malformed(`it has ${file.byteLength} bytes, its index adds up to ${at}`)
  return { dataset, pictures: read }
}

function malformed(problem: string): AgentError {
  return new AgentError('protocol.payload_malformed', `cannot read the golden set: ${problem}`)
}
