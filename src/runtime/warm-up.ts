/**
 * Runs before the first real one: they allocate memory, build kernels and wake up clocks, so that no frame pays for it.
 */

import type { Clock } from '../base/clock.js'

export interface WarmUp {
  readonly runs: number
  /** Duration of the first run, with all one-time work; 0 without runs. */
  readonly firstMs: number
  /** Duration of the last run: what a frame costs; 0 without runs. */
  readonly lastMs: number
}

/** Calls `run` `runs` times, one after the other. What `run` throws goes on. */
export async function warmUp(run: () => Promise<unknown>, runs: number, clock: Clock): Promise<WarmUp> {
  let firstMs = 0
  let lastMs = 0
  for (let index = 0; index < runs; index++) {
    const startedMs = clock.monotonicMs()
    await run()
    lastMs = clock.monotonicMs() - startedMs
    if (index === 0) firstMs = lastMs
  }
  return { runs, firstMs, lastMs }
}
