/**
 * One download in progress: a file as long as the whole, and the record of the chunks in it.
 * Invariant: a chunk is recorded only after its bytes were checked, written and synced, so after a kill or a power
 * cut exactly the chunks that are not recorded have to be fetched again.
 */

import type { Clock } from '../base/clock.js'
import type { Sha256 } from '../base/sha256.js'
import { sha256Of } from '../base/digest.js'
import { invariant } from '../base/assert.js'
import { writeErrorFrom } from '../base/atomic-file.js'
import { AgentError, messageOf } from '../base/errors.js'
import {
  chunkLengthOf,
  decodeChunkRecord,
  encodeChunkEntries,
  encodeChunkRecordHeader,
} from './chunk-record.js'
import { writeChunkList, type ChunkPlace } from './chunk-lists.js'
import type { FileSystem, OpenFile } from './fs.js'
import type { Blob } from '../protocol/blob.js'
import type { StoreLayout } from './layout.js'
import { Turns } from './turns.js'
import { digestOfFile, isLostFile, readIntactFile } from './whole-file.js'

/**
 * Chunks are synced and recorded in groups of at least so many bytes, or of at least so many milliseconds, one group after the
 * other, while further chunks come: what a kill may cost is one group and what came during the sync before it. Over a fast line
 * the bytes end a group, and syncing costs little; over a slow one the time does, because there a mebibyte takes minutes.
 */
const FLUSH_BYTES = 1 << 20
const FLUSH_MS = 2000

export type FinishResult =
  | { readonly state: 'complete' }
  /** Chunks that were recorded but do not have their digest on disk; they are missing again. */
  | { readonly state: 'damaged'; readonly lostChunks: readonly number[] }

export class PartialBlob {
  readonly blob: Blob
  readonly #files: FileSystem
  readonly #layout: StoreLayout
  readonly #clock: Clock
  readonly #onClose: () => void
  readonly #held: Set<number>
  /** Chunks that were checked and are not written yet, by their index in the blob. */
  #queued = new Map<number, Uint8Array>()
  readonly #unrecorded = new Set<number>()
  #unrecordedBytes = 0
  /** Monotonic time at which the group that is not recorded yet began. */
  #groupStartMs: number
  #recordBytes: number
  #data: OpenFile | undefined
  #recordFile: OpenFile | undefined
  /** Writes of chunks happen one after another, and so do changes of the record. */
  readonly #turns = new Turns()
  readonly #recordTurns = new Turns()
  #isRecording = false
  /** Why a chunk could not be written, or a group that nobody waited for not recorded. */
  #fault: AgentError | undefined

  private constructor(
    files: FileSystem,
    layout: StoreLayout,
    blob: Blob,
    state: {
      data: OpenFile
      record: OpenFile
      held: Set<number>
      recordBytes: number
      clock: Clock
      onClose: () => void
    },
  ) {
    this.#files = files
    this.#layout = layout
    this.blob = blob
    this.#data = state.data
    this.#recordFile = state.record
    this.#held = state.held
    this.#recordBytes = state.recordBytes
    this.#clock = state.clock
    this.#groupStartMs = state.clock.monotonicMs()
    this.#onClose = state.onClose
  }

  /** Opens or begins the download of `blob`. Throws `resource.*`. */
  static async open(
    files: FileSystem,
    layout: StoreLayout,
    blob: Blob,
    clock: Clock,
    onClose: () => void,
  ): Promise<PartialBlob> {
    const dataPath = layout.partialData(blob.sha256)
    const recordPath = layout.partialRecord(blob.sha256)
    try {
      const recordBytes = await readIntactFile(files, recordPath)
      const hasWholeData = (await files.sizeOf(dataPath)) === blob.sizeBytes
      const known =
        recordBytes === undefined || !hasWholeData ? undefined : decodeChunkRecord(blob, recordBytes)
      if (known === undefined && recordBytes !== undefined) {
        await files.remove(recordPath)
        await files.syncFolder(layout.partialFolder)
      }
      const data = await files.open(dataPath, 'update')
      await data.truncate(blob.sizeBytes)
      const record = await files.open(recordPath, 'update')
      const { held, intactBytes } = known ?? { held: new Set<number>(), intactBytes: 0 }
      await record.truncate(intactBytes)
      const state = { data, record, held, recordBytes: intactBytes, clock, onClose }
      return new PartialBlob(files, layout, blob, state)
    } catch (thrown) {
      throw writeErrorFrom(thrown, dataPath)
    }
  }

  /** Indexes of the chunks that are not here yet, ascending. */
  missingChunks(): number[] {
    const missing: number[] = []
    for (let index = 0; index < this.blob.chunks.length; index++) {
      if (!this.#held.has(index)) missing.push(index)
    }
    return missing
  }

  /**
   * Checks chunk `index` and writes it. `mismatch`: length or digest differ, nothing was written.
   * Borrows `bytes` until the promise settles. Throws `resource.*`.
   */
  async writeChunk(index: number, bytes: Uint8Array): Promise<'stored' | 'mismatch'> {
    const expected: Sha256 | undefined = this.blob.chunks[index]
    if (expected === undefined || bytes.byteLength !== chunkLengthOf(this.blob, index)) return 'mismatch'
    if (sha256Of(bytes) !== expected) return 'mismatch'
    if (!this.#held.has(index)) this.#queued.set(index, bytes)
    await this.#inOrder(this.#turns, () => this.#writeQueued())
    if (this.#isGroupFull && !this.#isRecording) this.#recordSoon()
    return 'stored'
  }

  get #isGroupFull(): boolean {
    if (this.#unrecorded.size === 0) return false
    const isLong = this.#clock.monotonicMs() - this.#groupStartMs >= FLUSH_MS
    return isLong || this.#unrecordedBytes >= FLUSH_BYTES
  }

  /** Writes what has come since the write before, neighbors together. It is called only while no other write is under way. */
  async #writeQueued(): Promise<void> {
    if (this.#fault !== undefined) throw this.#fault
    const queued = [...this.#queued].sort(([a], [b]) => a - b)
    this.#queued = new Map()
    try {
      for (const { first, pieces } of neighbours(queued))
        await this.#openData().write(joined(pieces), first * this.blob.chunkSizeBytes)
    } catch (thrown) {
      this.#fault = writeErrorFrom(thrown, this.#layout.partialData(this.blob.sha256))
      throw this.#fault
    }
    for (const [index, bytes] of queued) {
      this.#held.add(index)
      this.#unrecorded.add(index)
      this.#unrecordedBytes += bytes.byteLength
    }
  }

  /** Records what is written without making the next chunk wait; the chunk after a failure hears of it. */
  #recordSoon(): void {
    this.#isRecording = true
    this.#recordTurns
      .run(() => this.#record())
      .catch((thrown: unknown) => {
        this.#fault = writeErrorFrom(thrown, this.#layout.partialRecord(this.blob.sha256))
      })
      .finally(() => {
        this.#isRecording = false
      })
  }

  /** Takes every missing chunk that another blob has. Returns how many bytes need not be fetched. */
  async takeHeldChunks(places: ReadonlyMap<Sha256, ChunkPlace>): Promise<number> {
    let takenBytes = 0
    for (const index of this.missingChunks()) {
      const place = places.get(this.blob.chunks[index]!)
      if (place?.lengthBytes !== chunkLengthOf(this.blob, index)) continue
      const bytes = await this.#readPlace(place)
      if (bytes !== undefined && (await this.writeChunk(index, bytes)) === 'stored')
        takenBytes += bytes.byteLength
    }
    return takenBytes
  }

  /** Makes everything written so far survive a power cut. Throws `resource.*`. */
  async flush(): Promise<void> {
    await this.#inOrder(this.#recordTurns, () => this.#record())
  }

  /**
   * Checks the whole and, when its digest is right, gives it its name among the blobs; the partial is gone then.
   * Every chunk must have been written. Throws `integrity.digest_mismatch` when every chunk is right but the whole
   * is not (the description contradicts itself) or what was written cannot be read, which begins anew then, and
   * `resource.*`.
   */
  async finish(): Promise<FinishResult> {
    invariant(this.missingChunks().length === 0, 'a download is finished when no chunk is missing')
    await Promise.all([this.flush(), this.#writeList()])
    const dataPath = this.#layout.partialData(this.blob.sha256)
    if ((await this.#digestOf(dataPath)) !== this.blob.sha256) return this.#dropWrongChunks()
    await this.close()
    try {
      await this.#files.rename(dataPath, this.#layout.blob(this.blob.sha256))
      await this.#files.syncFolder(this.#layout.blobsFolder)
      // A record that a power cut brings back is without its data, and is dropped by whoever opens it.
      await this.#files.remove(this.#layout.partialRecord(this.blob.sha256))
    } catch (thrown) {
      throw writeErrorFrom(thrown, this.#layout.blob(this.blob.sha256))
    }
    return { state: 'complete' }
  }

  async #digestOf(dataPath: string): Promise<Sha256 | undefined> {
    try {
      return await digestOfFile(this.#files, dataPath)
    } catch (thrown) {
      if (!isLostFile(thrown)) throw thrown
      await this.close().catch(() => undefined) // What is lost need not be recorded.
      await this.#files.remove(dataPath)
      await this.#files.remove(this.#layout.partialRecord(this.blob.sha256))
      const problem = `cannot read what was downloaded of blob ${this.blob.sha256}: ${messageOf(thrown)}`
      throw new AgentError('integrity.digest_mismatch', problem, { cause: thrown })
    }
  }

  /**
   * Writes the list of chunks before the blob has its name: a list without its blob is passed over, while a blob without its list
   * would be fetched again.
   */
  async #writeList(): Promise<void> {
    try {
      await writeChunkList(this.#files, this.#layout, this.blob)
    } catch (thrown) {
      throw writeErrorFrom(thrown, this.#layout.blob(this.blob.sha256))
    }
  }

  /** Records what is written and closes the files; idempotent. The download can be opened again. */
  async close(): Promise<void> {
    const { data, record } = { data: this.#data, record: this.#recordFile }
    if (data === undefined || record === undefined) return
    try {
      await this.flush()
    } finally {
      this.#data = undefined
      this.#recordFile = undefined
      this.#onClose()
      await data.close()
      await record.close()
    }
  }

  #openData(): OpenFile {
    invariant(this.#data !== undefined, 'a partial blob is used while it is open')
    return this.#data
  }

  async #inOrder(turns: Turns, action: () => Promise<void>): Promise<void> {
    try {
      await turns.run(action)
    } catch (thrown) {
      throw writeErrorFrom(thrown, this.#layout.partialData(this.blob.sha256))
    }
  }

  /** Writes down which chunks the file holds. It is called only while no other write of the record is under way. */
  async #record(): Promise<void> {
    if (this.#unrecorded.size === 0) return
    const indexes = [...this.#unrecorded]
    this.#unrecordedBytes = 0
    this.#groupStartMs = this.#clock.monotonicMs()
    await this.#openData().sync()
    const file = this.#recordFile!
    const isFirst = this.#recordBytes === 0
    const entries = encodeChunkEntries(this.blob, indexes)
    const bytes = isFirst ? Buffer.concat([encodeChunkRecordHeader(this.blob), entries]) : entries
    await file.write(bytes, this.#recordBytes)
    await file.sync()
    // Until the names of both files are synced a power cut makes the download begin anew.
    if (isFirst) await this.#files.syncFolder(this.#layout.partialFolder)
    this.#recordBytes += bytes.byteLength
    for (const index of indexes) this.#unrecorded.delete(index)
  }

  async #readPlace(place: ChunkPlace): Promise<Uint8Array | undefined> {
    const bytes = new Uint8Array(place.lengthBytes)
    try {
      const file = await this.#files.open(place.path, 'read')
      try {
        return (await file.read(bytes, place.position)) === bytes.byteLength ? bytes : undefined
      } finally {
        await file.close()
      }
    } catch {
      // A blob that cannot be read is no source; the chunk comes over the network.
      return undefined
    }
  }

  /** Keeps the chunks whose bytes on disk are right. */
  async #dropWrongChunks(): Promise<FinishResult> {
    const lostChunks: number[] = []
    const kept: number[] = []
    for (let index = 0; index < this.blob.chunks.length; index++) {
      const bytes = new Uint8Array(chunkLengthOf(this.blob, index))
      await this.#openData().read(bytes, index * this.blob.chunkSizeBytes)
      const isRight = sha256Of(bytes) === this.blob.chunks[index]
      ;(isRight ? kept : lostChunks).push(index)
    }
    if (lostChunks.length === 0) {
      throw new AgentError(
        'integrity.digest_mismatch',
        `cannot complete blob ${this.blob.sha256}: each of its ${kept.length} chunks is right but the whole is not, expected a manifest whose chunks make up the blob`,
      )
    }
    await this.#inOrder(this.#recordTurns, async () => {
      const record = this.#recordFile!
      await record.truncate(0)
      await record.sync()
      this.#recordBytes = 0
      for (const index of lostChunks) this.#held.delete(index)
      for (const index of kept) this.#unrecorded.add(index)
      await this.#record()
    })
    return { state: 'damaged', lostChunks }
  }
}

/** Runs of chunks that lie side by side; `chunks` are sorted. */
function neighbours(
  chunks: readonly (readonly [index: number, bytes: Uint8Array])[],
): readonly { readonly first: number; readonly pieces: Uint8Array[] }[] {
  const runs: { first: number; pieces: Uint8Array[] }[] = []
  for (const [index, bytes] of chunks) {
    const last = runs.at(-1)
    if (last !== undefined && index === last.first + last.pieces.length) last.pieces.push(bytes)
    else runs.push({ first: index, pieces: [bytes] })
  }
  return runs
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
}
