/**
 * The last retained message of each topic that this client owns: sent again after every connection, because a broker
 * without persistence forgets, and because a state may have changed while there was no connection.
 * Invariant: holds at most `countMax` topics and `bytesMax` bytes.
 */

import { invariant } from '../base/assert.js'

const countMax = 64
const bytesMax = 2 * 1024 * 1024

export class RetainedState {
  readonly #payloads = new Map<string, Uint8Array>()
  #bytes = 0

  /** Remembers `payload` (taken) as the state of `topic`. More state than the bound is a programmer error. */
  set(topic: string, payload: Uint8Array): void {
    this.#bytes += payload.byteLength - (this.#payloads.get(topic)?.byteLength ?? 0)
    this.#payloads.set(topic, payload)
    invariant(
      this.#payloads.size <= countMax && this.#bytes <= bytesMax,
      `retained state fits in ${countMax} topics and ${bytesMax} bytes, has ${this.#payloads.size} and ${this.#bytes}`,
    )
  }

  /** Whether `payload` is still the newest of `topic`. */
  isNewest(topic: string, payload: Uint8Array): boolean {
    return this.#payloads.get(topic) === payload
  }

  entries(): readonly (readonly [topic: string, payload: Uint8Array])[] {
    return [...this.#payloads]
  }
}
