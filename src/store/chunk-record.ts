/**
 * The record of which chunks of a partial download are on disk: a header, then one entry a chunk, appended.
 * Invariant: an entry is written only after the chunk's bytes were synced; reading stops at the first entry that is
 * not intact, so a torn tail costs the chunks behind it and nothing else.
 *
 *     header  16 bytes  magic "YECR", format u32, tag of the blob 8 bytes
 *     entry    8 bytes  chunk index u32, check u32        (little endian)
 */

import { createHash } from 'node:crypto'
import { chunkRange, type Blob } from '../protocol/blob.js'

const MAGIC = 0x52434559
const FORMAT = 1
export const CHUNK_RECORD_HEADER_BYTES = 16
export const CHUNK_RECORD_ENTRY_BYTES = 8
const TAG_BYTES = 8

const tags = new WeakMap<Blob, Buffer>()

/** Binds a record to the blob and to its chunk grid: another grid makes another tag. */
function tagOf(blob: Blob): Buffer {
  const known = tags.get(blob)
  if (known !== undefined) return known
  const hash = createHash('sha256').update(`${blob.sha256} ${blob.sizeBytes} ${blob.chunkSizeBytes}`)
  for (const digest of blob.chunks) hash.update(digest)
  const tag = hash.digest().subarray(0, TAG_BYTES)
  tags.set(blob, tag)
  return tag
}

function checkOf(tag: Uint8Array, index: number): number {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(index)
  return createHash('sha256').update(tag).update(bytes).digest().readUInt32LE()
}

/** The first bytes of a record for `blob`. */
export function encodeChunkRecordHeader(blob: Blob): Uint8Array {
  const header = Buffer.alloc(CHUNK_RECORD_HEADER_BYTES)
  header.writeUInt32LE(MAGIC, 0)
  header.writeUInt32LE(FORMAT, 4)
  tagOf(blob).copy(header, 8)
  return header
}

/** The entries for `indexes`, to be appended in one write. */
export function encodeChunkEntries(blob: Blob, indexes: readonly number[]): Uint8Array {
  const tag = tagOf(blob)
  const entries = Buffer.alloc(indexes.length * CHUNK_RECORD_ENTRY_BYTES)
  indexes.forEach((index, position) => {
    entries.writeUInt32LE(index, position * CHUNK_RECORD_ENTRY_BYTES)
    entries.writeUInt32LE(checkOf(tag, index), position * CHUNK_RECORD_ENTRY_BYTES + 4)
  })
  return entries
}

/**
 * The chunks that a record lists, and how many of its bytes are intact; undefined when the header is not the one
 * for `blob`.
 */
export function decodeChunkRecord(
  blob: Blob,
  bytes: Uint8Array,
): { readonly held: Set<number>; readonly intactBytes: number } | undefined {
  const header = encodeChunkRecordHeader(blob)
  if (
    bytes.byteLength < header.byteLength ||
    !Buffer.from(header).equals(bytes.subarray(0, header.byteLength))
  ) {
    return undefined
  }
  const tag = tagOf(blob)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const held = new Set<number>()
  let position = CHUNK_RECORD_HEADER_BYTES
  for (; position + CHUNK_RECORD_ENTRY_BYTES <= bytes.byteLength; position += CHUNK_RECORD_ENTRY_BYTES) {
    const index = view.getUint32(position, true)
    if (index >= blob.chunks.length || view.getUint32(position + 4, true) !== checkOf(tag, index)) break
    held.add(index)
  }
  return { held, intactBytes: position }
}

/** Length in bytes of chunk `index`. */
export function chunkLengthOf(blob: Blob, index: number): number {
  const { start, end } = chunkRange(blob, index)
  return end - start
}
