/** Search, filter and order of the fleet table. Invariant: the same rows and choices give the same order. */

import { type FleetRow, isDeploying } from './fleet-row.js'

/** Which part of the fleet is listed. */
export type FleetFilter = 'all' | 'online' | 'down' | 'deploying' | 'look'

/** The columns by which the table can be ordered. */
export type SortKey =
  'name' | 'status' | 'board' | 'version' | 'fps' | 'p95Ms' | 'temperatureC' | 'map' | 'deployment'

/** Which rows the table lists, and in which order. */
export interface Arrangement {
  readonly filter: FleetFilter
  /** Words that must all occur in a row. */
  readonly search: string
  readonly sort: SortKey
  readonly isDescending: boolean
}

/** Whether `row` belongs to a part of the fleet. */
export function isIn(row: FleetRow, filter: FleetFilter): boolean {
  switch (filter) {
    case 'all':
      return true
    case 'online':
      return row.status === 'online'
    case 'down':
      return row.status !== 'online'
    case 'deploying':
      return isDeploying(row.deployment)
    case 'look':
      return row.needsLook
  }
}

const severity: Readonly<Record<FleetRow['status'], number>> = {
  offline: 0,
  silent: 1,
  unknown: 2,
  stopped: 3,
  online: 4,
}

const byName = new Intl.Collator('en', { numeric: true })

function valueOf(row: FleetRow, key: SortKey): number | string | undefined {
  switch (key) {
    case 'status':
      return severity[row.status] * 2 + (row.needsLook ? 0 : 1)
    case 'deployment':
      return isDeploying(row.deployment) ? `0 ${row.deployment}` : `1 ${row.failure ?? row.deployment}`
    case 'version':
      return row.version === '' ? undefined : `${row.model} ${row.version} ${row.variant}`
    case 'name':
    case 'board':
    case 'fps':
    case 'p95Ms':
    case 'temperatureC':
    case 'map':
      return row[key] === '' ? undefined : row[key]
  }
}

/** Order of two values; what is not known comes last, whatever the direction. */
function compare(
  one: number | string | undefined,
  other: number | string | undefined,
  direction: 1 | -1,
): number {
  if (one === undefined || other === undefined) return Number(one === undefined) - Number(other === undefined)
  const order =
    typeof one === 'number' && typeof other === 'number'
      ? one - other
      : byName.compare(String(one), String(other))
  return order * direction
}

/** The rows that are listed, in order. */
export function arrangeRows(
  rows: readonly FleetRow[],
  { filter, search, sort, isDescending }: Arrangement,
): FleetRow[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  const matches = (row: FleetRow): boolean => {
    if (!isIn(row, filter)) return false
    if (words.length === 0) return true
    const { name, status, board, model, version, variant, provider, deployment, failure = '' } = row
    const text =
      `${name} ${status} ${board} ${model} ${version} ${variant} ${provider} ${deployment} ${failure}`.toLowerCase()
    return words.every((word) => text.includes(word))
  }
  const direction = isDescending ? -1 : 1
  return rows
    .filter(matches)
    .sort(
      (one, other) =>
        compare(valueOf(one, sort), valueOf(other, sort), direction) || byName.compare(one.name, other.name),
    )
}
