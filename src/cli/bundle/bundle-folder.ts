/**
 * A bundle on disk: manifest.json, envelope.json, blobs/<sha256>.
 * Invariant: a written folder is complete or absent; a read one has every blob its manifest names, each with its digest.
 */

import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createFolderAtomic } from '../../base/atomic-file.js'
import { sha256OfFile } from '../../base/digest.js'
import { type Sha256 } from '../../base/sha256.js'
import { AgentError, messageOf } from '../../base/errors.js'
import type { Blob } from '../../protocol/blob.js'
import { openEnvelope, sealEnvelope } from '../../protocol/envelope.js'
import type { SigningKey } from '../../protocol/keys.js'
import {
  artefactsOf,
  encodeManifest,
  type Manifest,
  manifestPayloadType,
  parseManifest,
} from '../../protocol/manifest.js'

/** A manifest with the bytes of every blob it names. */
export interface BundleContent {
  readonly manifest: Manifest
  readonly blobs: ReadonlyMap<Sha256, Uint8Array>
}

/** A bundle that lies in a folder. */
export interface BundleFolder {
  readonly manifest: Manifest
  /** The signed envelope, as it is published. */
  readonly envelope: Uint8Array
  /** Reads `sizeBytes` of a blob from `start`. */
  readChunk(blob: Blob, start: number, sizeBytes: number): Promise<Uint8Array>
}

/** Writes a bundle, signed with each of `keys`, and `documents` beside it by file name. The folder must not exist. */
export async function writeBundle(
  folder: string,
  content: BundleContent,
  keys: readonly SigningKey[],
  documents: ReadonlyMap<string, string> = new Map(),
): Promise<void> {
  const manifest = encodeManifest(content.manifest)
  const envelope = sealEnvelope(manifestPayloadType, manifest, keys)
  await createFolderAtomic(folder, async (inside) => {
    await mkdir(join(inside, 'blobs'))
    for (const [sha256, bytes] of content.blobs)
      await writeFile(join(inside, 'blobs', sha256), bytes, { flush: true })
    for (const [name, text] of documents) await writeFile(join(inside, name), text, { flush: true })
    await writeFile(join(inside, 'manifest.json'), manifest, { flush: true })
    await writeFile(join(inside, 'envelope.json'), envelope, { flush: true })
  })
}

/** Opens a bundle for publishing. Throws `bundle.file_missing`, `integrity.digest_mismatch` or a `protocol.*` error. */
export async function readBundle(folder: string): Promise<BundleFolder> {
  const envelope = await readPart(folder, 'envelope.json')
  const { payload } = openEnvelope(envelope, manifestPayloadType, { keys: [], allowUnsigned: true })
  const manifest = parseManifest(payload)
  const pathOf = (sha256: Sha256): string => join(folder, 'blobs', sha256)
  for (const { blob } of artefactsOf(manifest)) {
    const found = await sha256OfFile(pathOf(blob.sha256)).catch((thrown: unknown) => {
      throw missing(folder, join('blobs', blob.sha256), thrown)
    })
    if (found !== blob.sha256) {
      const problem = `cannot publish ${folder}: blob ${blob.sha256} has digest ${found}, expected that of its name`
      throw new AgentError('integrity.digest_mismatch', problem)
    }
  }
  return {
    manifest,
    envelope,
    readChunk: async (blob, start, sizeBytes) => {
      const handle = await open(pathOf(blob.sha256), 'r')
      try {
        const { buffer } = await handle.read(new Uint8Array(sizeBytes), 0, sizeBytes, start)
        return buffer
      } finally {
        await handle.close()
      }
    },
  }
}

async function readPart(folder: string, name: string): Promise<Uint8Array> {
  try {
    return await readFile(join(folder, name))
  } catch (thrown) {
    throw missing(folder, name, thrown)
  }
}

function missing(folder: string, name: string, thrown: unknown): AgentError {
  const problem = `cannot read ${name} of the bundle ${folder}: ${messageOf(thrown)}`
  return new AgentError('bundle.file_missing', problem, { cause: thrown })
}
