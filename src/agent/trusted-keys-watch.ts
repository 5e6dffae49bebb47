/**
 * Notices when the keys that this device trusts change, so that the fleet can tell who has which.
 * Invariant: reads files only; keys that cannot be read are told as none, and again once they can be.
 */

import type { Clock } from '../base/clock.js'
import type { Service } from '../base/lifecycle.js'
import type { TrustPolicy } from '../protocol/envelope.js'

export interface TrustedKeysWatch {
  readonly trust: () => Promise<TrustPolicy>
  /** Called with the ids of the keys: at the start, and whenever they are others. */
  readonly onKeys: (keyIds: readonly string[]) => void
  readonly clock: Clock
  readonly periodMs: number
}

export function trustedKeysWatch({ trust, onKeys, clock, periodMs }: TrustedKeysWatch): Service {
  let known: string | undefined
  const look = async (): Promise<void> => {
    const keyIds = await trust().then(
      ({ keys }) => keys.map(({ keyId }) => keyId).sort(),
      () => [],
    )
    if (keyIds.join() === known) return
    known = keyIds.join()
    onKeys(keyIds)
  }
  let end = (): void => undefined
  return {
    name: 'trusted keys',
    start: async () => {
      await look()
      end = clock.every(periodMs, () => {
        void look()
      })
    },
    stop: () => {
      end()
      return Promise.resolve()
    },
  }
}
