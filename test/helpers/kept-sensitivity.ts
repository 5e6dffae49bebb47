/** Measurements of sensitivity in a file, so that a benchmark that is made in parts probes each layer once. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { type Measurements, noMeasurements } from '../../src/compress/pruning/measurements.js'
import type { Probe } from '../../src/compress/pruning/sensitivity.js'

type Kept = readonly [
  criterion: string,
  layers: readonly (readonly [layer: string, probes: readonly Probe[]])[],
]

/** Measurements with the sensitivities that `path` holds; none when there is no such file. */
export function measurementsFrom(path: string): Measurements {
  const measured = noMeasurements()
  if (!existsSync(path)) return measured
  for (const [criterion, layers] of JSON.parse(readFileSync(path, 'utf8')) as readonly Kept[])
    measured.sensitivity.set(criterion, new Map(layers))
  return measured
}

export function keepSensitivity(path: string, { sensitivity }: Measurements): void {
  const kept = [...sensitivity].map(([criterion, layers]): Kept => [criterion, [...layers]])
  writeFileSync(path, JSON.stringify(kept))
}
