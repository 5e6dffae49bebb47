/**
 * One record in two copies, written in turn: the newer intact copy counts.
 * Invariant: a write leaves the copy that was current untouched, so a cut or a rotten sector costs one step, not all; a
 * copy that cannot be read counts as one that is not intact.
 */

import { messageOf } from '../base/errors.js'
import type { FileSystem } from './fs.js'
import { decodeRecord, encodeRecord, type RecordKind } from './sealed-record.js'
import { Turns } from './turns.js'
import { isLostFile, readWholeFile, replaceFile } from './whole-file.js'

export type DoubleRead =
  /** `damaged`: the other copy exists and is not intact, so a newer value may be lost. */
  | { readonly state: 'valid'; readonly value: unknown; readonly damaged: boolean }
  | { readonly state: 'absent' }
  | { readonly state: 'corrupt'; readonly reason: string }

interface Copy {
  readonly path: string
  readonly generation: number
  readonly value: unknown
  readonly corruptReason: string | undefined
}

function isGeneration(value: unknown): value is { generation: number; value: unknown } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'generation' in value &&
    Number.isSafeInteger(value.generation) &&
    'value' in value
  )
}

export class DoubleRecord {
  readonly #files: FileSystem
  readonly #paths: readonly [string, string]
  readonly #kind: RecordKind
  readonly #turns = new Turns()
  /** Known after the first read: the generation on disk and the copy that holds it. */
  #current: { generation: number; path: string } | undefined

  constructor(files: FileSystem, path: string, kind: RecordKind) {
    this.#files = files
    this.#paths = [`${path}.a`, `${path}.b`]
    this.#kind = kind
  }

  read(): Promise<DoubleRead> {
    return this.#turns.run(() => this.#read())
  }

  /** Writes the JSON value; durable when the promise resolves. Throws `resource.*`; the old value counts then. */
  write(value: unknown): Promise<void> {
    return this.#turns.run(() => this.#write(value))
  }

  async #read(): Promise<DoubleRead> {
    const copies = [await this.#readCopy(this.#paths[0]), await this.#readCopy(this.#paths[1])]
    const intact = copies
      .filter((copy) => copy !== undefined && copy.corruptReason === undefined)
      .map((copy) => copy!)
      .sort((one, other) => other.generation - one.generation)
    const newest = intact[0]
    const corrupt = copies.find((copy) => copy?.corruptReason !== undefined)
    if (newest !== undefined) {
      this.#current = { generation: newest.generation, path: newest.path }
      return { state: 'valid', value: newest.value, damaged: corrupt !== undefined }
    }
    this.#current = { generation: 0, path: this.#paths[1] }
    if (corrupt === undefined) return { state: 'absent' }
    return { state: 'corrupt', reason: `${corrupt.path}: ${corrupt.corruptReason ?? ''}` }
  }

  async #write(value: unknown): Promise<void> {
    if (this.#current === undefined) await this.#read()
    const { generation, path } = this.#current!
    const target = path === this.#paths[0] ? this.#paths[1] : this.#paths[0]
    await replaceFile(this.#files, target, encodeRecord(this.#kind, { generation: generation + 1, value }))
    this.#current = { generation: generation + 1, path: target }
  }

  async #readCopy(path: string): Promise<Copy | undefined> {
    let bytes: Uint8Array | undefined
    try {
      bytes = await readWholeFile(this.#files, path)
    } catch (thrown) {
      if (!isLostFile(thrown)) throw thrown
      return { path, generation: -1, value: undefined, corruptReason: messageOf(thrown) }
    }
    if (bytes === undefined) return undefined
    const decoded = decodeRecord(this.#kind, bytes)
    if (decoded.state === 'corrupt') {
      return { path, generation: -1, value: undefined, corruptReason: decoded.reason }
    }
    if (!isGeneration(decoded.value)) {
      return { path, generation: -1, value: undefined, corruptReason: 'no generation number' }
    }
    return { path, ...decoded.value, corruptReason: undefined }
  }
}
