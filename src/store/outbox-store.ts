/**
 * Messages that wait for the broker, one file each, oldest first.
 * Invariant: the files never hold more than the limit; what is dropped for it is the oldest and is counted; a record
 * that is not intact is dropped and counted, never sent.
 */

import { writeErrorFrom } from '../base/atomic-file.js'
import { AgentError } from '../base/errors.js'
import type { FileSystem } from './fs.js'
import { outboxNumberOf, type StoreLayout } from './layout.js'
import { sealBytes, unsealBytes, type RecordKind } from './sealed-record.js'
import { Turns } from './turns.js'
import { readIntactFile, replaceFile } from './whole-file.js'

const KIND: RecordKind = { kind: 'outbox', format: 1 }

export interface StoredMessage {
  /** Rises with every append, also over restarts while anything waits. */
  readonly id: number
  readonly bytes: Uint8Array
}

export class OutboxStore {
  readonly #files: FileSystem
  readonly #layout: StoreLayout
  readonly #limitBytes: number
  readonly #turns = new Turns()
  /** Waiting records, oldest first: id to size on disk. Filled by `load`. */
  readonly #waiting = new Map<number, number>()
  #waitingBytes = 0
  #nextId = 1
  #dropped = 0

  /** `limitBytes` bounds the files' content, headers included. */
  constructor(files: FileSystem, layout: StoreLayout, limitBytes: number) {
    this.#files = files
    this.#layout = layout
    this.#limitBytes = limitBytes
  }

  /** Finds what waits since an earlier run. */
  async load(): Promise<void> {
    const numbers = (await this.#files.list(this.#layout.outboxFolder))
      .map(outboxNumberOf)
      .filter((number) => number !== undefined)
      .sort((one, other) => one - other)
    for (const id of numbers) {
      const sizeBytes = (await this.#files.sizeOf(this.#layout.outboxRecord(id))) ?? 0
      this.#waiting.set(id, sizeBytes)
      this.#waitingBytes += sizeBytes
      this.#nextId = id + 1
    }
  }

  get size(): number {
    return this.#waiting.size
  }

  /** Records dropped since `load`: for the limit, or because they were not intact. */
  get dropped(): number {
    return this.#dropped
  }

  /**
   * Appends a message, dropping the oldest while it does not fit; returns its id. Durable when the promise resolves.
   * Throws `protocol.payload_oversized` for a message over the whole limit, and `resource.*`.
   */
  append(bytes: Uint8Array): Promise<number> {
    return this.#turns.run(async () => {
      const sealed = sealBytes(KIND, bytes)
      if (sealed.byteLength > this.#limitBytes) {
        throw new AgentError(
          'protocol.payload_oversized',
          `cannot keep a message of ${bytes.byteLength} bytes, expected at most the outbox limit of ${this.#limitBytes}`,
        )
      }
      for (const oldest of this.#waiting.keys()) {
        if (this.#waitingBytes + sealed.byteLength <= this.#limitBytes) break
        await this.#forget(oldest)
        this.#dropped++
      }
      const id = this.#nextId++
      await replaceFile(this.#files, this.#layout.outboxRecord(id), sealed)
      this.#waiting.set(id, sealed.byteLength)
      this.#waitingBytes += sealed.byteLength
      return id
    })
  }

  /** The oldest messages, at most `count`; they stay until removed. */
  peek(count: number): Promise<StoredMessage[]> {
    return this.#turns.run(async () => {
      const messages: StoredMessage[] = []
      for (const id of [...this.#waiting.keys()]) {
        if (messages.length >= count) break
        const sealed = await readIntactFile(this.#files, this.#layout.outboxRecord(id))
        const unsealed = sealed === undefined ? undefined : unsealBytes(KIND, sealed)
        if (unsealed?.state === 'valid') {
          messages.push({ id, bytes: unsealed.body })
        } else {
          await this.#forget(id)
          this.#dropped++
        }
      }
      return messages
    })
  }

  /** Removes a message that was delivered. No error when it was dropped meanwhile. */
  remove(id: number): Promise<void> {
    return this.#turns.run(() => this.#forget(id))
  }

  /** Not synced: a removal that a power cut undoes only means that the message is sent twice. */
  async #forget(id: number): Promise<void> {
    const sizeBytes = this.#waiting.get(id)
    if (sizeBytes === undefined) return
    const path = this.#layout.outboxRecord(id)
    await this.#files.remove(path).catch((thrown: unknown) => {
      throw writeErrorFrom(thrown, path)
    })
    this.#waiting.delete(id)
    this.#waitingBytes -= sizeBytes
  }
}
