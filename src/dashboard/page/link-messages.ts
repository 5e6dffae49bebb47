/**
 * What the page and its worker say to each other. Invariant: a worker sends a batch only when it was asked for one, so
 * that what the page has not read yet waits in the worker's bounded inbox and nowhere else.
 */

import type { FiguresBatch } from '../fleet/figures-batch.js'
import type { Incoming } from '../fleet/inbox.js'
import type { MessageBatch } from '../fleet/message-batch.js'

/** Where the page connects to. */
export interface BrokerSettings {
  readonly url: string
  readonly root: string
  readonly username: string
  readonly password: string
}

/** What the connection is doing. */
export type LinkState =
  | { readonly kind: 'idle' | 'connecting' | 'online' }
  | { readonly kind: 'lost' | 'unreachable'; readonly retryAtMs: number }
  | { readonly kind: 'refused'; readonly reason: string }

/** A message from the page to its worker. */
export type ToLink =
  | { readonly kind: 'open'; readonly settings: BrokerSettings }
  | { readonly kind: 'listen' | 'leave'; readonly filters: readonly string[] }
  | { readonly kind: 'send'; readonly topic: string; readonly payload: Uint8Array }
  | { readonly kind: 'take' }

/** A message from the worker to the page. Each `take` is answered by one `fleet`, which may be empty. */
export type FromLink =
  | { readonly kind: 'state'; readonly state: LinkState }
  | { readonly kind: 'fleet'; readonly batch: MessageBatch; readonly figures: FiguresBatch }
  | { readonly kind: 'close-up'; readonly message: Incoming }
