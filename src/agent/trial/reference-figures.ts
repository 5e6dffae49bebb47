/**
 * Runs of the reference load, summed up.
 * Invariant: medians, so that a run in which the thread was put off or compiled anew changes nothing.
 */

import type { ReferenceRun } from '../../runtime/messages.js'
import type { ReferenceFigures } from '../../update/ports.js'

/** The figures of `runs`; undefined when there are none. */
export function referenceFigures(runs: readonly ReferenceRun[]): ReferenceFigures | undefined {
  if (runs.length === 0) return undefined
  const wall = sorted(runs.map(({ wallMs }) => wallMs))
  const cpu = sorted(runs.flatMap(({ cpuMs }) => (cpuMs === undefined ? [] : [cpuMs])))
  return {
    p50Ms: quantile(wall, 0.5),
    p95Ms: quantile(wall, 0.95),
    ...(cpu.length > 0 && { cpuMs: quantile(cpu, 0.5) }),
  }
}

function sorted(values: readonly number[]): readonly number[] {
  return [...values].sort((a, b) => a - b)
}

/** The smallest of `values`, which are in order and at least one, that `share` of them do not exceed. */
function quantile(values: readonly number[], share: number): number {
  return values[Math.max(0, Math.ceil(values.length * share) - 1)]!
}
