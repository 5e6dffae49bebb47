/**
 * Which chunks the complete blobs are made of, so that another blob can take them from here and not from the network.
 * Invariant: a list only says where to look; whoever takes a chunk checks its digest.
 */

import { isSha256, type Sha256 } from '../base/sha256.js'
import { chunkLengthOf } from './chunk-record.js'
import type { FileSystem } from './fs.js'
import type { Blob } from '../protocol/blob.js'
import type { StoreLayout } from './layout.js'
import { decodeRecord, encodeRecord, type RecordKind } from './sealed-record.js'
import { readIntactFile, replaceFile } from './whole-file.js'

const KIND: RecordKind = { kind: 'chunk-list', format: 1 }

/** Where a chunk lies inside a complete blob. */
export interface ChunkPlace {
  readonly path: string
  readonly position: number
  readonly lengthBytes: number
}

function isBlob(value: unknown): value is Blob {
  if (typeof value !== 'object' || value === null) return false
  const { sha256, sizeBytes, chunkSizeBytes, chunks } = value as Record<string, unknown>
  return (
    typeof sha256 === 'string' &&
    isSha256(sha256) &&
    Number.isSafeInteger(sizeBytes) &&
    Number.isSafeInteger(chunkSizeBytes) &&
    Array.isArray(chunks) &&
    chunks.every((digest) => typeof digest === 'string')
  )
}

/** Remembers the chunks of a blob that is complete or about to be. */
export async function writeChunkList(files: FileSystem, layout: StoreLayout, blob: Blob): Promise<void> {
  await replaceFile(files, layout.chunkList(blob.sha256), encodeRecord(KIND, blob))
}

/** For every chunk of every complete blob, one place where it lies. Lists that are not intact are left out. */
export async function readChunkPlaces(
  files: FileSystem,
  layout: StoreLayout,
): Promise<Map<Sha256, ChunkPlace>> {
  const places = new Map<Sha256, ChunkPlace>()
  for (const name of await files.list(layout.chunksFolder)) {
    if (!isSha256(name) || (await files.sizeOf(layout.blob(name))) === undefined) continue
    const bytes = await readIntactFile(files, layout.chunkList(name))
    const decoded = bytes === undefined ? undefined : decodeRecord(KIND, bytes)
    if (decoded?.state !== 'valid' || !isBlob(decoded.value) || decoded.value.sha256 !== name) continue
    const blob = decoded.value
    blob.chunks.forEach((digest, index) => {
      places.set(digest, {
        path: layout.blob(name),
        position: index * blob.chunkSizeBytes,
        lengthBytes: chunkLengthOf(blob, index),
      })
    })
  }
  return places
}
