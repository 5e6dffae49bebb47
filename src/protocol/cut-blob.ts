/** Cuts a file onto the chunk grid. Invariant: cutting the same bytes twice gives the same blob. */

import { sha256Of } from '../base/digest.js'
import type { Blob } from './blob.js'
import { chunkCountOf, defaultChunkSizeBytes } from './blob.js'

/** The blob of `bytes`, which must not be empty; borrows them. */
export function cutBlob(bytes: Uint8Array, chunkSizeBytes: number = defaultChunkSizeBytes): Blob {
  const chunks = Array.from({ length: chunkCountOf(bytes.byteLength, chunkSizeBytes) }, (_, index) =>
    sha256Of(bytes.subarray(index * chunkSizeBytes, (index + 1) * chunkSizeBytes)),
  )
  return { sha256: sha256Of(bytes), sizeBytes: bytes.byteLength, chunkSizeBytes, chunks }
}
