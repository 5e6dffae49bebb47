/**
 * Files by their sha256: complete ones, and downloads in progress.
 * Invariant: a file takes its name among the blobs only after the digest of all of it was found right.
 */

import { type Clock, systemClock } from '../base/clock.js'
import { sha256Of } from '../base/digest.js'
import { type Sha256 } from '../base/sha256.js'
import { invariant } from '../base/assert.js'
import { AgentError, wrapError } from '../base/errors.js'
import type { Artefact, Blob } from '../protocol/blob.js'
import { readChunkPlaces } from './chunk-lists.js'
import { measureDiskUse, requireSpace, type DiskQuota, type DiskUse } from './disk-space.js'
import type { FileSystem } from './fs.js'
import type { StoreLayout } from './layout.js'
import { PartialBlob } from './partial-blob.js'
import { unpackArtefact } from './unpack.js'
import { digestOfFile, isLostFile, readWholeFile, replaceFile } from './whole-file.js'

function requireConsistent(blob: Blob): void {
  const isConsistent =
    Number.isSafeInteger(blob.sizeBytes) &&
    blob.sizeBytes > 0 &&
    Number.isSafeInteger(blob.chunkSizeBytes) &&
    blob.chunkSizeBytes > 0 &&
    blob.chunks.length === Math.ceil(blob.sizeBytes / blob.chunkSizeBytes)
  if (isConsistent) return
  throw new AgentError(
    'protocol.payload_malformed',
    `cannot store blob ${blob.sha256}: ${blob.chunks.length} chunks of ${blob.chunkSizeBytes} bytes do not make ${blob.sizeBytes} bytes`,
  )
}

export class BlobStore {
  readonly #files: FileSystem
  readonly #layout: StoreLayout
  readonly #quota: DiskQuota
  readonly #clock: Clock
  readonly #open = new Set<Sha256>()
  /** Stamps of files at the time when their digest was found right. */
  readonly #proofs = new Map<Sha256, string>()

  constructor(files: FileSystem, layout: StoreLayout, quota: DiskQuota, clock: Clock = systemClock) {
    this.#files = files
    this.#layout = layout
    this.#quota = quota
    this.#clock = clock
  }

  /** Where the bytes of a complete blob are, to be opened by path. Throws `protocol.name_invalid`. */
  pathOf(sha256: Sha256): string {
    return this.#layout.blob(sha256)
  }

  /** Whether the blob is complete. */
  async has(sha256: Sha256): Promise<boolean> {
    return (await this.#files.sizeOf(this.#layout.blob(sha256))) !== undefined
  }

  /**
   * Reads the blob once more. A blob that has gone bad is removed, so that it is fetched again.
   * Throws `integrity.digest_mismatch` when it can be neither read nor removed.
   */
  async verify(sha256: Sha256): Promise<'intact' | 'absent' | 'corrupt'> {
    const path = this.#layout.blob(sha256)
    this.#proofs.delete(sha256)
    try {
      const stamp = await this.#files.stampOf(path)
      const found = await this.#digestOf(path)
      if (found === undefined) return 'absent'
      if (found === sha256) {
        if (stamp !== undefined) this.#proofs.set(sha256, stamp)
        return 'intact'
      }
      await this.remove(sha256)
      return 'corrupt'
    } catch (thrown) {
      throw wrapError(thrown, 'integrity.digest_mismatch', `cannot read blob ${sha256}`)
    }
  }

  /** Does what {@link verify} does, but a file that was found right and has had the same size and times since is not read again. */
  async prove(sha256: Sha256): Promise<'intact' | 'absent' | 'corrupt'> {
    const known = this.#proofs.get(sha256)
    if (known !== undefined && (await this.#files.stampOf(this.#layout.blob(sha256))) === known)
      return 'intact'
    return this.verify(sha256)
  }

  /** The digest of a file, `unreadable` when its bytes are lost, undefined when it is absent. */
  async #digestOf(path: string): Promise<string | undefined> {
    try {
      return await digestOfFile(this.#files, path)
    } catch (thrown) {
      if (isLostFile(thrown)) return 'unreadable'
      throw thrown
    }
  }

  /** All bytes of a blob, checked. Throws `bundle.file_missing` or, when it has gone bad, `integrity.digest_mismatch`. */
  async read(sha256: Sha256): Promise<Uint8Array> {
    const bytes = await readWholeFile(this.#files, this.#layout.blob(sha256))
    if (bytes === undefined) {
      throw new AgentError('bundle.file_missing', `cannot read blob ${sha256}: the store does not have it`)
    }
    const found = sha256Of(bytes)
    if (found !== sha256) {
      await this.remove(sha256)
      throw new AgentError(
        'integrity.digest_mismatch',
        `cannot use blob ${sha256}: its digest on disk is ${found}`,
      )
    }
    return bytes
  }

  /** Stores bytes that are at hand; returns their digest. Throws `resource.*`. */
  async write(bytes: Uint8Array): Promise<Sha256> {
    const sha256 = sha256Of(bytes)
    if (await this.has(sha256)) return sha256
    requireSpace(await this.diskUse(), this.#quota, bytes.byteLength, `blob ${sha256}`)
    await replaceFile(this.#files, this.#layout.blob(sha256), bytes)
    return sha256
  }

  /**
   * Begins or goes on with a download. Chunks that complete blobs have are taken from there at once.
   * The caller closes or finishes it; one at a time for a digest.
   * Throws `resource.disk_full` when the rest does not fit, `protocol.payload_malformed` when the description
   * contradicts itself.
   */
  async openPartial(blob: Blob): Promise<PartialBlob> {
    requireConsistent(blob)
    invariant(!this.#open.has(blob.sha256), `blob ${blob.sha256} is downloaded once at a time`)
    const startedBytes = await this.#files.sizeOf(this.#layout.partialData(blob.sha256))
    if (startedBytes === undefined) {
      requireSpace(await this.diskUse(), this.#quota, blob.sizeBytes, `blob ${blob.sha256}`)
    }
    this.#open.add(blob.sha256)
    try {
      const partial = await PartialBlob.open(this.#files, this.#layout, blob, this.#clock, () => {
        this.#open.delete(blob.sha256)
      })
      if (partial.missingChunks().length > 0) {
        await partial.takeHeldChunks(await readChunkPlaces(this.#files, this.#layout))
      }
      return partial
    } catch (thrown) {
      this.#open.delete(blob.sha256)
      throw thrown
    }
  }

  /**
   * Makes the file of an artefact out of its complete blob, if it is not there. Nothing to do for encoding `none`.
   * Throws `integrity.digest_mismatch` when the blob does not become that file, and `resource.*`; a blob that has gone
   * bad is removed then, so that it is fetched again.
   */
  async unpack(artefact: Artefact): Promise<void> {
    if (await this.has(artefact.sha256)) return
    requireSpace(await this.diskUse(), this.#quota, artefact.sizeBytes, `file ${artefact.sha256}`)
    try {
      await unpackArtefact(this.#files, this.#layout, artefact)
    } catch (thrown) {
      await this.verify(artefact.blob.sha256)
      throw thrown
    }
  }

  diskUse(): Promise<DiskUse> {
    return measureDiskUse(this.#files, this.#layout, this.#quota)
  }

  /** Forgets a blob. No error when it is absent. */
  async remove(sha256: Sha256): Promise<void> {
    this.#proofs.delete(sha256)
    await this.#files.remove(this.#layout.blob(sha256))
    await this.#files.remove(this.#layout.chunkList(sha256))
  }
}
