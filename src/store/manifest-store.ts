/**
 * Manifests kept as they were received, signatures included, by the digest of their bytes.
 * Invariant: what is read back has the digest it is asked by; anything else counts as absent.
 */

import { sha256Of } from '../base/digest.js'
import { isSha256, type Sha256 } from '../base/sha256.js'
import type { FileSystem } from './fs.js'
import type { StoreLayout } from './layout.js'
import { readIntactFile, replaceFile } from './whole-file.js'

export class ManifestStore {
  readonly #files: FileSystem
  readonly #layout: StoreLayout

  constructor(files: FileSystem, layout: StoreLayout) {
    this.#files = files
    this.#layout = layout
  }

  /** Keeps `bytes`; returns the digest they are found by. Throws `resource.*`. */
  async write(bytes: Uint8Array): Promise<Sha256> {
    const sha256 = sha256Of(bytes)
    if ((await this.read(sha256)) === undefined) {
      await replaceFile(this.#files, this.#layout.manifest(sha256), bytes)
    }
    return sha256
  }

  /** The bytes kept under `sha256`, or undefined when they are absent or have gone bad. */
  async read(sha256: Sha256): Promise<Uint8Array | undefined> {
    const bytes = await readIntactFile(this.#files, this.#layout.manifest(sha256))
    return bytes !== undefined && sha256Of(bytes) === sha256 ? bytes : undefined
  }

  async remove(sha256: Sha256): Promise<void> {
    await this.#files.remove(this.#layout.manifest(sha256))
  }

  async list(): Promise<Sha256[]> {
    return (await this.#files.list(this.#layout.manifestsFolder)).filter(isSha256)
  }
}
