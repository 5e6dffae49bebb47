/** Blobs for tests: bytes from a seed, and how they are cut into chunks. */

import { sha256Of } from '../../src/base/digest.js'
import { seededRandom } from '../../src/base/random.js'
import type { Blob } from '../../src/protocol/blob.js'

/** `sizeBytes` bytes that depend on `seed` only. */
export function bytesFrom(seed: number, sizeBytes: number): Uint8Array {
  const random = seededRandom(seed)
  return Uint8Array.from({ length: sizeBytes }, () => random.integer(256))
}

export function chunkOf(bytes: Uint8Array, chunkSizeBytes: number, index: number): Uint8Array {
  return bytes.subarray(index * chunkSizeBytes, (index + 1) * chunkSizeBytes)
}

export function describeBlob(bytes: Uint8Array, chunkSizeBytes: number): Blob {
  const count = Math.ceil(bytes.length / chunkSizeBytes)
  return {
    sha256: sha256Of(bytes),
    sizeBytes: bytes.length,
    chunkSizeBytes,
    chunks: Array.from({ length: count }, (_, index) => sha256Of(chunkOf(bytes, chunkSizeBytes, index))),
  }
}
