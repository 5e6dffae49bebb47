/**
 * One variant of a bundle folder, named like a file inside it: `BUNDLE/int8-x64-vnni-640`.
 * Invariant: the bytes are those that a device would run, checked by their digest.
 */

import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { sha256Of } from '../../base/digest.js'
import { AgentError } from '../../base/errors.js'
import { readBundle } from './bundle-folder.js'

/** The model file of the variant at `path`, or undefined where its folder is no bundle. Throws `bundle.*`, `integrity.*`. */
export async function readVariantFile(path: string): Promise<Uint8Array | undefined> {
  const folder = dirname(path)
  const found = await stat(join(folder, 'manifest.json')).catch(() => undefined)
  if (found === undefined) return undefined
  const bundle = await readBundle(folder)
  const { variants } = bundle.manifest
  const variant = variants.find(({ id }) => id === basename(path))
  if (variant === undefined) {
    const ids = variants.map(({ id }) => id).join(', ')
    throw new AgentError(
      'bundle.file_missing',
      `the bundle ${folder} has no variant ${basename(path)}, expected one of ${ids}`,
    )
  }
  const { blob, encoding, sha256 } = variant.artefact
  const packed = await bundle.readChunk(blob, 0, blob.sizeBytes)
  const bytes = encoding === 'br' ? brotliDecompressSync(packed) : packed
  if (sha256Of(bytes) === sha256) return bytes
  throw new AgentError('integrity.digest_mismatch', `${path} is not what its manifest says`)
}
