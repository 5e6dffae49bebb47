/**
 * How much of the machine others use while something is measured here: a figure from a busy machine says little.
 * Source: proc(5), /proc/stat; user, nice, system, irq, softirq and steal count as busy.
 */

import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

const ticksPerSecond = 100

function busySeconds(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = readFileSync(
    '/proc/stat',
    'utf8',
  )
    .split('\n', 1)[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return (user + nice + system + irq + softirq + steal) / ticksPerSecond
}

/** Begins to watch; the returned function tells the share of all cores, 0..1, that other processes used since. */
export function watchForeignLoad(): () => number {
  const startMs = performance.now()
  const busyBefore = busySeconds()
  const ownBefore = process.cpuUsage()
  return () => {
    const own = process.cpuUsage(ownBefore)
    const others = busySeconds() - busyBefore - (own.user + own.system) / 1e6
    const seconds = ((performance.now() - startMs) / 1000) * availableParallelism()
    return Math.min(1, Math.max(0, others / seconds))
  }
}
