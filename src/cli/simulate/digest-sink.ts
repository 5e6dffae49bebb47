/** Takes chunks, proves each by its digest, and keeps none. Invariant: a chunk counts as had only when its digest fits. */

import { sha256Of } from '../../base/digest.js'
import { type Blob, chunkRange } from '../../protocol/blob.js'
import type { ChunkSink } from '../../transport/blob-download.js'

export class DigestSink implements ChunkSink {
  readonly #blob: Blob
  readonly #missing: Set<number>

  constructor(blob: Blob) {
    this.#blob = blob
    this.#missing = new Set(blob.chunks.keys())
  }

  missingChunks(): readonly number[] {
    return [...this.#missing]
  }

  /** Borrows `bytes` until it returns. */
  writeChunk(index: number, bytes: Uint8Array): Promise<'stored' | 'mismatch'> {
    const { start, end } = chunkRange(this.#blob, index)
    const isRight = bytes.byteLength === end - start && sha256Of(bytes) === this.#blob.chunks[index]
    if (isRight) this.#missing.delete(index)
    return Promise.resolve(isRight ? 'stored' : 'mismatch')
  }
}
