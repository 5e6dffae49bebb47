/**
 * Results of trials by key, so that a variant measured once on this machine is not measured again.
 * Invariant: losing the cache costs time and nothing else; a record that is not intact is an empty cache.
 */

import { DoubleRecord } from './double-record.js'
import type { FileSystem } from './fs.js'
import type { StoreLayout } from './layout.js'

/** Entries kept; the one written longest ago goes first. */
const ENTRIES_MAX = 256

export class MeasurementCache {
  readonly #record: DoubleRecord
  #entries: Map<string, unknown> | undefined

  constructor(files: FileSystem, layout: StoreLayout) {
    this.#record = new DoubleRecord(files, layout.state('measurements'), { kind: 'measurements', format: 1 })
  }

  /** The JSON value kept under `key`, or undefined. */
  async get(key: string): Promise<unknown> {
    return (await this.#load()).get(key)
  }

  /** Keeps a JSON value under `key`. Throws `resource.*`. */
  async set(key: string, value: unknown): Promise<void> {
    const entries = await this.#load()
    entries.delete(key)
    entries.set(key, value)
    for (const oldest of entries.keys()) {
      if (entries.size <= ENTRIES_MAX) break
      entries.delete(oldest)
    }
    await this.#record.write([...entries])
  }

  async #load(): Promise<Map<string, unknown>> {
    if (this.#entries === undefined) {
      const read = await this.#record.read()
      const pairs = read.state === 'valid' && Array.isArray(read.value) ? (read.value as unknown[]) : []
      this.#entries = new Map(
        pairs.filter((pair): pair is [string, unknown] => Array.isArray(pair) && typeof pair[0] === 'string'),
      )
    }
    return this.#entries
  }
}
