/**
 * Looks at the machine from time to time and says when it has changed.
 * Invariant: one look at a time; a look that fails is a look less, nothing else.
 */

import type { Clock } from '../../base/clock.js'
import type { Service } from '../../base/lifecycle.js'
import { readMachineCondition } from '../../hardware/detect-hardware.js'
import { type ChangeLimits, ConditionChanges } from './condition-changes.js'

export interface ConditionWatchOptions {
  readonly limits: ChangeLimits
  readonly periodMs: number
  readonly clock: Clock
  /** Where the machine's file tree begins; `/` unless given. */
  readonly root?: string
  onChange(reason: string): void
}

/** A service that calls `onChange` for each change. */
export function conditionWatch(options: ConditionWatchOptions): Service {
  const { clock, periodMs } = options
  const changes = new ConditionChanges(options.limits)
  const stopping = new AbortController()
  let looking: Promise<void> | undefined
  const look = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const reason = changes.note(await readMachineCondition(options.root), clock.monotonicMs())
      if (reason !== undefined) options.onChange(reason)
      await clock.sleep(periodMs, stopping.signal)
    }
  }
  return {
    name: 'conditions',
    start: () => {
      looking = look()
      return Promise.resolve()
    },
    stop: async () => {
      stopping.abort()
      await looking
    },
  }
}
