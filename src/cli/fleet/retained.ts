/**
 * What a broker holds under some topics.
 * Invariant: a broker sends what is retained right after it has agreed to a subscription, so silence means that was all.
 */

import { type Clock, systemClock } from '../../base/clock.js'
import type { MqttConnection } from '../../transport/mqtt-connection.js'

export interface RetainedOptions {
  /** Silence that ends the reading, milliseconds; 700 unless given. */
  readonly quietMs?: number
  /** Ends the reading at once. */
  readonly isComplete?: (received: ReadonlyMap<string, Uint8Array>) => boolean
  readonly clock?: Clock
}

/** A fleet that never falls silent is read for this long. */
const limitMs = 15_000

/** The newest message of each topic that `filters` match, by topic; empty ones are left out. */
export async function readRetained(
  connection: MqttConnection,
  filters: readonly string[],
  { quietMs = 700, isComplete = () => false, clock = systemClock }: RetainedOptions = {},
): Promise<ReadonlyMap<string, Uint8Array>> {
  const received = new Map<string, Uint8Array>()
  const complete = new AbortController()
  let heardAtMs = clock.monotonicMs()
  const subscription = connection.subscribe(filters, 1, ({ topic, payload }) => {
    heardAtMs = clock.monotonicMs()
    // An empty message clears what was retained.
    if (payload.byteLength === 0) received.delete(topic)
    else received.set(topic, Uint8Array.from(payload))
    if (isComplete(received)) complete.abort()
  })
  try {
    await subscription.outcome
    const endMs = clock.monotonicMs() + limitMs
    heardAtMs = clock.monotonicMs()
    for (;;) {
      const nowMs = clock.monotonicMs()
      const leftMs = Math.min(heardAtMs + quietMs, endMs) - nowMs
      if (leftMs <= 0 || complete.signal.aborted) return received
      await clock.sleep(leftMs, complete.signal)
    }
  } finally {
    await subscription.close()
  }
}
