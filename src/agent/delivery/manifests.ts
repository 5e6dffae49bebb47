/** Signed manifests from the broker, and kept in the store. Invariant: what is kept is what was received, byte for byte. */

import type { Sha256 } from '../../base/digest.js'
import { AgentError } from '../../base/errors.js'
import type { Topics } from '../../protocol/topics.js'
import type { ManifestStore } from '../../store/manifest-store.js'
import type { MqttConnection } from '../../transport/mqtt-connection.js'
import type { Manifests } from '../../update/ports.js'

/** How long a reachable broker may take to show a retained message. */
const retainedWaitMs = 15_000

/** Manifests as the update service needs them. */
export function manifestsOf(connection: MqttConnection, topics: Topics, store: ManifestStore): Manifests {
  return {
    fetch: (model, version, signal) => fetchRetained(connection, topics.manifest(model, version), signal),
    write: (bytes): Promise<Sha256> => store.write(bytes),
    read: (sha256) => store.read(sha256),
  }
}

/**
 * The retained message of `topic`. Waits while offline.
 * Throws `bundle.file_missing` when an online broker shows none, `network.request_timeout` when `signal` aborts.
 */
function fetchRetained(connection: MqttConnection, topic: string, signal: AbortSignal): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined
    const settle = (act: () => void): void => {
      clearTimeout(timer)
      stopWatching()
      signal.removeEventListener('abort', abort)
      void subscription.close()
      act()
    }
    const abort = (): void => {
      settle(() => {
        reject(new AgentError('network.request_timeout', `gave up waiting for ${topic}`))
      })
    }
    // The time counts only while the broker can answer.
    const watch = (isOnline: boolean): void => {
      clearTimeout(timer)
      if (!isOnline) return
      timer = setTimeout(() => {
        settle(() => {
          const problem = `cannot get the manifest: the broker has no message under ${topic}`
          reject(new AgentError('bundle.file_missing', problem))
        })
      }, retainedWaitMs)
    }
    const subscription = connection.subscribe([topic], 1, ({ payload }) => {
      if (payload.byteLength === 0) return
      const bytes = Uint8Array.from(payload)
      settle(() => {
        resolve(bytes)
      })
    })
    const stopWatching = connection.onOnlineChange(watch)
    watch(connection.isOnline)
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
  })
}
