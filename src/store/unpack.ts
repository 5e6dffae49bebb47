/**
 * From the blob that travelled to the file that is used.
 * Invariant: the file takes its name only when its size and digest are those of the artefact; a blob that unpacks to
 * more is stopped at the artefact's size, so it cannot fill the disk.
 */

import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip } from 'node:zlib'
import { writeErrorFrom } from '../base/atomic-file.js'
import { AgentError, messageOf } from '../base/errors.js'
import type { Artefact } from '../protocol/blob.js'
import type { FileSystem, OpenFile } from './fs.js'
import type { StoreLayout } from './layout.js'

const PIECE_BYTES = 1 << 18

/** Encoding to the stream that undoes it. No row: this device passes over artefacts with that encoding. */
const decoders = {
  br: createBrotliDecompress,
  gzip: createGunzip,
} as const

/** Whether an artefact with this encoding can be used here. */
export function isKnownEncoding(encoding: string): boolean {
  return encoding === 'none' || Object.hasOwn(decoders, encoding)
}

async function* piecesOf(file: OpenFile, sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let position = 0; position < sizeBytes; position += PIECE_BYTES) {
    const piece = new Uint8Array(Math.min(PIECE_BYTES, sizeBytes - position))
    yield piece.subarray(0, await file.read(piece, position))
  }
}

function mismatch(artefact: Artefact, problem: string, cause?: unknown): AgentError {
  return new AgentError(
    'integrity.digest_mismatch',
    `cannot unpack blob ${artefact.blob.sha256} (${artefact.encoding}): ${problem}, expected ${artefact.sizeBytes} bytes with digest ${artefact.sha256}`,
    { cause },
  )
}

/** Writes the decoded bytes of `source` to `target` from its beginning. Throws `integrity.digest_mismatch`, system errors. */
async function decodeInto(target: OpenFile, source: OpenFile, artefact: Artefact): Promise<void> {
  const createDecoder = decoders[artefact.encoding as keyof typeof decoders]
  const decoder = createDecoder()
  const input = Readable.from(piecesOf(source, artefact.blob.sizeBytes))
  input.on('error', (error) => decoder.destroy(error))
  const decoded = input.pipe(decoder)
  const hash = createHash('sha256')
  let position = 0
  const nextPiece = decoded[Symbol.asyncIterator]()
  for (;;) {
    const next = await nextPiece.next().catch((thrown: unknown) => {
      throw mismatch(artefact, messageOf(thrown), thrown)
    })
    if (next.done === true) break
    const piece = next.value as Buffer
    if (position + piece.byteLength > artefact.sizeBytes) {
      decoder.destroy()
      throw mismatch(artefact, 'it holds more')
    }
    hash.update(piece)
    await target.write(piece, position)
    position += piece.byteLength
  }
  const found = hash.digest('hex')
  if (found !== artefact.sha256) throw mismatch(artefact, `found ${position} bytes with digest ${found}`)
}

/**
 * Makes the file of `artefact` out of its complete blob; nothing to do for encoding `none`.
 * Throws `integrity.digest_mismatch` and `resource.*`; no file is left then.
 */
export async function unpackArtefact(
  files: FileSystem,
  layout: StoreLayout,
  artefact: Artefact,
): Promise<void> {
  if (artefact.encoding === 'none') return
  if (!isKnownEncoding(artefact.encoding)) throw mismatch(artefact, 'this encoding is not known here')
  const temporary = layout.partialData(artefact.sha256)
  try {
    const source = await files.open(layout.blob(artefact.blob.sha256), 'read')
    try {
      const target = await files.open(temporary, 'update')
      try {
        await target.truncate(0)
        await decodeInto(target, source, artefact)
        await target.sync()
      } finally {
        await target.close()
      }
    } finally {
      await source.close()
    }
    await files.rename(temporary, layout.blob(artefact.sha256))
    await files.syncFolder(layout.blobsFolder)
    await files.syncFolder(layout.partialFolder)
  } catch (thrown) {
    await files.remove(temporary).catch(() => undefined) // The first error is the one that counts.
    throw writeErrorFrom(thrown, layout.blob(artefact.sha256))
  }
}
