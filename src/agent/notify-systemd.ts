/**
 * Tells systemd how the service is: ready, alive, stopping (sd_notify(3)).
 * Invariant: outside systemd, or without libsystemd, every call does nothing; a failed call never ends the agent.
 */

import koffi from 'koffi'
import type { Clock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'

/** The states systemd is told. */
export interface ServiceNotifier {
  /** Start-up is over. `status` is shown by `systemctl status`. */
  ready(status: string): void
  /** One line for `systemctl status`. */
  status(text: string): void
  /** Shutting down has begun. */
  stopping(): void
  /**
   * Pings the watchdog at half its period for as long as `isAlive` says so; the timer alone must not prove life.
   * Returns the function that ends it.
   */
  watch(isAlive: () => boolean): () => void
}

type SdNotify = (unsetEnvironment: number, state: string) => number

/** The notifier of this process: silent unless systemd set NOTIFY_SOCKET in `env`. */
export function serviceNotifier(
  env: Readonly<Record<string, string | undefined>>,
  clock: Clock,
  logger: Logger,
): ServiceNotifier {
  const notify = env['NOTIFY_SOCKET'] === undefined ? undefined : loadSdNotify(logger)
  const send = (state: string): void => {
    if (notify === undefined) return
    const result = notify(0, state)
    if (result < 0) logger.warn({ state, result }, 'systemd was not notified')
  }
  return {
    ready: (status) => {
      send(`READY=1\nSTATUS=${status}`)
    },
    status: (text) => {
      send(`STATUS=${text}`)
    },
    stopping: () => {
      send('STOPPING=1')
    },
    watch: (isAlive) => {
      const periodUs = Number(env['WATCHDOG_USEC'] ?? '')
      if (notify === undefined || !(periodUs > 0)) return () => undefined
      return clock.every(periodUs / 2000, () => {
        if (isAlive()) send('WATCHDOG=1')
      })
    },
  }
}

function loadSdNotify(logger: Logger): SdNotify | undefined {
  try {
    return koffi
      .load('libsystemd.so.0')
      .func('int sd_notify(int unset_environment, const char *state)') as SdNotify
  } catch (error) {
    logger.warn({ err: error }, 'libsystemd is not usable; systemd will not hear of this service')
    return undefined
  }
}
