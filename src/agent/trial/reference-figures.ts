/**
 * Runs of the reference load, summed up.
 * Invariant: medians, so that a run in which the thread was put off or compiled anew changes nothing.
 */

import { quantileOf } from '../../base/numeric.js'
import type { ReferenceRun } from '../../runtime/messages.js'
import type { ReferenceFigures } from '../../update/ports.js'

/** The figures of `runs`; undefined when there are none. */
export function referenceFigures(runs: readonly ReferenceRun[]): ReferenceFigures | undefined {
  if (runs.length === 0) return undefined
  const wall = runs.map(({ wallMs }) => wallMs)
  const cpu = runs.flatMap(({ cpuMs }) => (cpuMs === undefined ? [] : [cpuMs]))
  return {
    p50Ms: quantileOf(wall, 0.5),
    p95Ms: quantileOf(wall, 0.95),
    ...(cpu.length > 0 && { cpuMs: quantileOf(cpu, 0.5) }),
  }
}
