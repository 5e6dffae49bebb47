/** The update service's options as the configuration has them. */

import type { Config } from '../config/config.js'
import type { UpdaterOptions } from '../update/updater-options.js'

export function updaterOptionsOf(config: Config): UpdaterOptions {
  const { selection, acceptance } = config
  return {
    device: config.device.id,
    selection: {
      policy: selection.policy,
      latencyTargetMs: selection.latencyTargetMs,
      mapFloor: selection.mapFloor,
      hysteresis: selection.hysteresis,
      trialsMax: selection.maxTrials,
    },
    acceptance: {
      expectedDropMax: acceptance.expectedDropMax,
      activeDropMax: acceptance.activeDropMax,
      activeLatencyFactorMax: acceptance.activeLatencyFactorMax,
      soakMs: acceptance.soakS * 1000,
      soakWindowMs: acceptance.soakWindowS * 1000,
      latencyFactorMax: acceptance.latencyFactorMax,
      errorShareMax: acceptance.errorShareMax,
      agreementMin: acceptance.agreementMin,
    },
    attemptsMax: acceptance.attemptsMax,
    stopsUntrusted: config.security.stopUntrusted,
  }
}
