/** SHA-256 as lower-case hexadecimal, of bytes and of files. */

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Sha256 } from './sha256.js'

export function sha256Of(bytes: Uint8Array | string): Sha256 {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Digest of a file, read in pieces; rejects with the file system's error when it cannot be read. */
export async function sha256OfFile(path: string): Promise<Sha256> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer)
  return hash.digest('hex')
}
