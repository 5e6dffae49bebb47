/**
 * How late the event loop of this thread is, window by window.
 * Invariant: the sampling timer's own period is not counted; measuring costs a hundred short wake-ups a second.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks'

export interface LoopDelay {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

const periodMs = 10

/** Begins to measure. */
export function watchLoopDelay(): { take(): LoopDelay | undefined; stop(): void } {
  const monitor = monitorEventLoopDelay({ resolution: periodMs })
  monitor.enable()
  const toMs = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - periodMs)
  return {
    /** The delay since the last call; undefined when nothing was sampled. */
    take: () => {
      if (monitor.count === 0) return undefined
      const delay = {
        p50Ms: toMs(monitor.percentile(50)),
        p99Ms: toMs(monitor.percentile(99)),
        maxMs: toMs(monitor.max),
      }
      monitor.reset()
      return delay
    },
    stop: () => {
      monitor.disable()
    },
  }
}
