/**
 * The hours in which this device may change its model.
 * Invariant: a step of the wall clock is noticed within a minute, because no wait is longer.
 */

import type { Clock } from '../../base/clock.js'
import { nextWithin, parseWeeklyHours } from '../../base/weekly-hours.js'
import type { Permission } from '../../update/ports.js'

const longestWaitMs = 60_000

/** Lets a trial begin within `windows`, the checked texts of the setting; always where there are none. */
export function maintenanceWindows(windows: readonly string[], clock: Clock): Permission {
  const spans = windows.flatMap((text) => parseWeeklyHours(text) ?? [])
  return {
    async waitForTrial(signal, onWait) {
      let toldMs: number | undefined
      while (!signal.aborted) {
        const nowMs = clock.wallMs()
        const openMs = nextWithin(spans, nowMs) ?? nowMs
        if (openMs <= nowMs) return
        if (openMs !== toldMs) onWait(openMs - nowMs)
        toldMs = openMs
        await clock.sleep(Math.min(openMs - nowMs, longestWaitMs), signal)
      }
    },
  }
}
