/** Signed manifests from the broker, and kept in the store. Invariant: what is kept is what was received, byte for byte. */

import type { Clock } from '../../base/clock.js'
import type { Sha256 } from '../../base/sha256.js'
import { AgentError } from '../../base/errors.js'
import type { Topics } from '../../protocol/topics.js'
import type { ManifestStore } from '../../store/manifest-store.js'
import type { MqttConnection, Subscription } from '../../transport/mqtt-connection.js'
import type { Manifests } from '../../update/ports.js'

/** How long a reachable broker may take to show a retained message, and after which part of it it is asked again. */
const retainedWaitMs = 20_000
const askAgainMs = 5_000

/** How often the time is looked at. */
const pollMs = 250

/** Manifests as the update service needs them. */
export function manifestsOf(
  connection: MqttConnection,
  topics: Topics,
  store: ManifestStore,
  clock: Clock,
): Manifests {
  return {
    fetch: (model, version, signal) =>
      fetchRetained(connection, topics.manifest(model, version), { clock, signal }),
    write: (bytes): Promise<Sha256> => store.write(bytes),
    read: (sha256) => store.read(sha256),
  }
}

export interface Patience {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** How long a reachable broker may take, milliseconds; 20,000 unless given. */
  readonly waitMs?: number
}

/**
 * The retained message of `topic`, asked for every few seconds: a cluster that has lost a node may grant a subscription and give
 * nothing. Waits while offline: the time counts only while the broker can answer.
 * Throws `bundle.file_missing` when an online broker shows none, `network.request_timeout` when `signal` aborts.
 */
export async function fetchRetained(
  connection: MqttConnection,
  topic: string,
  { clock, signal, waitMs = retainedWaitMs }: Patience,
): Promise<Uint8Array> {
  const found: Uint8Array[] = []
  const wake = new AbortController()
  const ask = (): Subscription =>
    connection.subscribe([topic], 1, ({ payload }) => {
      if (payload.byteLength === 0) return
      found.push(Uint8Array.from(payload))
      wake.abort()
    })
  let subscription = ask()
  const woken = AbortSignal.any([signal, wake.signal])
  let askedMs = 0
  for (let silentMs = 0; !woken.aborted && silentMs < waitMs;) {
    const beforeMs = clock.monotonicMs()
    await clock.sleep(pollMs, woken)
    if (connection.isOnline) silentMs += clock.monotonicMs() - beforeMs
    if (silentMs - askedMs < askAgainMs) continue
    askedMs = silentMs
    await subscription.close()
    subscription = ask()
  }
  await subscription.close()
  const [bytes] = found
  if (bytes !== undefined) return bytes
  if (signal.aborted) throw new AgentError('network.request_timeout', `gave up waiting for ${topic}`)
  const problem = `cannot get the manifest: the broker has no message under ${topic}`
  throw new AgentError('bundle.file_missing', problem)
}
