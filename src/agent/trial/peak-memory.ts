/**
 * The most memory that this process held since a moment (proc(5): VmHWM, cleared through clear_refs).
 * Invariant: bytes of resident memory; where the kernel does not clear the mark, the figure errs on the high side.
 */

import { readFile, writeFile } from 'node:fs/promises'

/** Begins a new peak; returns what the process holds now. */
export async function beginPeak(): Promise<number> {
  try {
    await writeFile('/proc/self/clear_refs', '5')
  } catch {
    // A kernel without the feature: the peak since the start of the process stays.
  }
  return process.memoryUsage.rss()
}

/** The peak since {@link beginPeak}. */
export async function readPeak(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '')
  const kilobytes = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? NaN)
  return Number.isFinite(kilobytes) ? kilobytes * 1024 : process.resourceUsage().maxRSS * 1024
}
