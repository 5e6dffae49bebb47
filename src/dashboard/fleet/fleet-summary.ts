/** The fleet in a few figures. Invariant: counts add up to the number of devices. */

import { type FleetRow, isDeploying } from './fleet-row.js'

export interface FleetSummary {
  readonly devices: number
  readonly online: number
  readonly down: number
  readonly deploying: number
  readonly look: number
  /** Frames a second of all devices together. */
  readonly fps: number
  /** Median over the devices that say it. */
  readonly medianP95Ms: number | undefined
  /** Devices by serving model and version, most first; '' stands for none. */
  readonly versions: readonly { readonly name: string; readonly count: number }[]
}

function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)]
}

export function summarize(rows: readonly FleetRow[]): FleetSummary {
  const versions = new Map<string, number>()
  let online = 0
  let deploying = 0
  let look = 0
  let fps = 0
  for (const row of rows) {
    if (row.status === 'online') online++
    if (isDeploying(row.deployment)) deploying++
    if (row.needsLook) look++
    fps += row.fps ?? 0
    const name = row.version === '' ? '' : `${row.model} ${row.version}`
    versions.set(name, (versions.get(name) ?? 0) + 1)
  }
  return {
    devices: rows.length,
    online,
    down: rows.length - online,
    deploying,
    look,
    fps,
    medianP95Ms: median(rows.flatMap(({ p95Ms }) => p95Ms ?? [])),
    versions: [...versions]
      .map(([name, count]) => ({ name, count }))
      .sort((one, other) => other.count - one.count || one.name.localeCompare(other.name)),
  }
}
