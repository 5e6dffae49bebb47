/**
 * A file as it travels: encoded, cut on a chunk grid, every chunk known by its digest.
 * Invariant of a checked artefact: chunk count x chunk size covers the blob exactly, the last chunk may be short.
 */

import * as v from 'valibot'
import type { Sha256 } from '../base/sha256.js'
import { integerField, listField, sha256Field, wordField } from './fields.js'
import { chunkCountMax } from './topics.js'

/** Chunk size unless chosen otherwise: with its topic below the message limit of every common broker. */
export const defaultChunkSizeBytes = 61_440

const blobBytesMax = 4 * 1024 ** 3
export const chunkBytesMax = 1024 ** 2

/** The bytes that are transported. */
export interface Blob {
  /** Digest of all bytes; names the blob on the broker. */
  readonly sha256: Sha256
  readonly sizeBytes: number
  readonly chunkSizeBytes: number
  /** Digest of each chunk, in order. */
  readonly chunks: readonly Sha256[]
}

/** A file that is delivered as a blob. */
export interface Artefact {
  /** Digest and size of the file after decoding. */
  readonly sha256: Sha256
  readonly sizeBytes: number
  /** How the file becomes the blob: `none`, `br`, ...; a device that does not know it passes over the artefact. */
  readonly encoding: string
  readonly blob: Blob
}

/** How many chunks a blob of `sizeBytes` has. */
export function chunkCountOf(sizeBytes: number, chunkSizeBytes: number): number {
  return Math.ceil(sizeBytes / chunkSizeBytes)
}

/** Where chunk `index` lies in its blob; `index` is below the chunk count. */
export function chunkRange(blob: Blob, index: number): { readonly start: number; readonly end: number } {
  const start = index * blob.chunkSizeBytes
  return { start, end: Math.min(blob.sizeBytes, start + blob.chunkSizeBytes) }
}

const blobField: v.GenericSchema<unknown, Blob> = v.pipe(
  v.object({
    sha256: sha256Field,
    sizeBytes: integerField(1, blobBytesMax),
    chunkSizeBytes: integerField(1024, chunkBytesMax),
    chunks: listField(sha256Field, chunkCountMax),
  }),
  v.check(
    (blob) => blob.chunks.length === chunkCountOf(blob.sizeBytes, blob.chunkSizeBytes),
    'as many chunks as size_bytes / chunk_size_bytes, rounded up',
  ),
)

/** An artefact inside a payload. */
export const artefactField: v.GenericSchema<unknown, Artefact> = v.pipe(
  v.object({
    sha256: sha256Field,
    sizeBytes: integerField(1, blobBytesMax),
    encoding: wordField,
    blob: blobField,
  }),
  v.check(
    ({ encoding, sha256, sizeBytes, blob }) =>
      encoding !== 'none' || (sha256 === blob.sha256 && sizeBytes === blob.sizeBytes),
    'with encoding none, the same sha256 and size_bytes for the file and its blob',
  ),
)
