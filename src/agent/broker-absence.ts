/**
 * Says once a minute that the broker is away, for as long as it is, and once that it is back: whoever looks at the log of a device
 * that nobody can reach sees why.
 * Invariant: a connection that comes and goes within a minute is told by its own lines alone.
 */

import type { Clock } from '../base/clock.js'
import type { Service } from '../base/lifecycle.js'
import type { Logger } from '../base/logger.js'

/** What is looked at. */
export interface BrokerLink {
  readonly isOnline: boolean
  /** Why there is no connection; undefined while online. */
  readonly lastError: { readonly message: string } | undefined
}

const periodMs = 60_000

/** The watch over `link`. */
export function brokerAbsence(link: BrokerLink, clock: Clock, logger: Logger): Service {
  const stopping = new AbortController()
  let watching: Promise<void> = Promise.resolve()
  const watch = async (): Promise<void> => {
    let awayMinutes = 0
    for (;;) {
      await clock.sleep(periodMs, stopping.signal)
      if (stopping.signal.aborted) return
      if (!link.isOnline) {
        awayMinutes++
        const reason = link.lastError?.message ?? 'it has not answered yet'
        logger.warn({ minutes: awayMinutes, reason }, 'the broker is away; reports wait on disk')
      } else if (awayMinutes > 0) {
        logger.info({ minutes: awayMinutes }, 'the broker is back')
        awayMinutes = 0
      }
    }
  }
  return {
    name: 'broker absence',
    start: () => {
      watching = watch()
      return Promise.resolve()
    },
    stop: async () => {
      stopping.abort()
      await watching
    },
  }
}
