/**
 * Messages on their way from the worker to the page, with one buffer for all payloads: some thousand small buffers a second would cost
 * both threads more than what is in them.
 * Invariant: unpacking gives what was packed, in order.
 */

import type { Incoming } from './inbox.js'

export interface MessageBatch {
  readonly topics: readonly string[]
  /** Where each payload ends in `bytes`, which is where the next one begins. */
  readonly ends: readonly number[]
  /** Has a buffer of its own, to be transferred. */
  readonly bytes: Uint8Array<ArrayBuffer>
}

export function packMessages(messages: readonly Incoming[]): MessageBatch {
  let length = 0
  const ends = messages.map(({ payload }) => (length += payload.length))
  const bytes = new Uint8Array(length)
  for (const [index, { payload }] of messages.entries()) bytes.set(payload, ends[index]! - payload.length)
  return {
    topics: messages.map(({ topic }) => topic),
    ends,
    bytes,
  }
}

/** The messages; their payloads share the memory of the batch. */
export function unpackMessages({ topics, ends, bytes }: MessageBatch): Incoming[] {
  return topics.map((topic, index) => ({
    topic,
    payload: bytes.subarray(ends[index - 1] ?? 0, ends[index]),
  }))
}
