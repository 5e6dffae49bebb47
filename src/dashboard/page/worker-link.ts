/**
 * The page's end of its worker: what the connection does, and the messages as the page asks for them.
 * Invariant: at most one batch is under way; a batch of a broker that was left is dropped.
 */

import { signal } from '@preact/signals'
import type { FiguresBatch } from '../fleet/figures-batch.js'
import type { Incoming } from '../fleet/inbox.js'
import { unpackMessages } from '../fleet/message-batch.js'
import type { BrokerSettings, FromLink, LinkState, ToLink } from './link-messages.js'

interface Listener {
  /** Messages of the fleet's state, oldest first, owned by the listener; metrics as figures, as far as they could be read. */
  readonly onFleet: (messages: readonly Incoming[], figures: FiguresBatch) => void
  readonly onCloseUp: (message: Incoming) => void
}

/** What browsers with trusted types offer: https://www.w3.org/TR/trusted-types/. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): string }
}

export class WorkerLink {
  readonly state = signal<LinkState>({ kind: 'idle' })
  readonly #worker: Worker
  #isAsked = false
  #isStale = false

  constructor({ onFleet, onCloseUp }: Listener) {
    this.#worker = new Worker(trustedUrl('link-worker.js'), { type: 'module' })
    this.#worker.onmessage = ({ data }: MessageEvent<FromLink>) => {
      switch (data.kind) {
        case 'state':
          this.state.value = data.state
          return
        case 'close-up':
          onCloseUp(data.message)
          return
        case 'fleet':
          this.#isAsked = false
          if (!this.#isStale) onFleet(unpackMessages(data.batch), data.figures)
          this.#isStale = false
      }
    }
  }

  /** Connects to another broker, or to the same again at once. */
  open(settings: BrokerSettings): void {
    this.state.value = { kind: 'connecting' }
    // What was asked for before is answered before the worker reads this.
    this.#isStale = this.#isAsked
    this.#tell({ kind: 'open', settings })
  }

  /** Listens to `filters` until the returned function is called. */
  listen(filters: readonly string[]): () => void {
    this.#tell({ kind: 'listen', filters })
    return () => {
      this.#tell({ kind: 'leave', filters })
    }
  }

  /** Sends one message now; drops it while offline. */
  send(topic: string, payload: Uint8Array): void {
    this.#tell({ kind: 'send', topic, payload })
  }

  /** Asks for the next messages of the fleet, unless they were asked for already. */
  take(): void {
    if (this.#isAsked) return
    this.#isAsked = true
    this.#tell({ kind: 'take' })
  }

  #tell(message: ToLink): void {
    this.#worker.postMessage(message)
  }
}

/** The address of a file of the page, allowed as a script where the browser asks for that. */
function trustedUrl(file: string): string {
  const url = new URL(file, import.meta.url).href
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes }
  const policy = trustedTypes?.createPolicy('link-worker', { createScriptURL: () => url })
  return policy === undefined ? url : policy.createScriptURL(url)
}
