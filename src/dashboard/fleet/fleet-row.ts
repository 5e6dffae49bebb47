/** One line of the fleet table. Invariant: computed from a record and the time alone; absent figures are undefined. */

import type { DeploymentState } from '../../protocol/deployment.js'
import { type DeviceRecord, deploymentOf, failureOfDevice } from './device-record.js'

/** Whether a device can be counted on: `silent` is online but has sent no metrics for a while. */
export type DeviceStatus = 'online' | 'silent' | 'offline' | 'stopped' | 'unknown'

/** A device as the table shows it. */
export interface FleetRow {
  readonly name: string
  readonly status: DeviceStatus
  readonly board: string
  readonly model: string
  readonly version: string
  readonly variant: string
  readonly provider: string
  readonly why: string
  readonly fps: number | undefined
  readonly p95Ms: number | undefined
  readonly temperatureC: number | undefined
  readonly isThrottled: boolean
  /** mAP50-95 of the newest report that has one, 0..1. */
  readonly map: number | undefined
  /** Population stability index of the scores; above `driftShift` it counts as a shift. */
  readonly drift: number | undefined
  readonly deployment: DeploymentState
  readonly deploymentVersion: string
  readonly progress: number | undefined
  /** Code of the last refusal or rollback, unless a later deployment went well, or of a wish that was not taken. */
  readonly failure: string | undefined
  readonly refused: number
  /** Something a person should look at. */
  readonly needsLook: boolean
}

/** A population stability index above this is commonly called a shift. */
export const driftShift = 0.25

const silentAfterMs = 45_000

/** Whether a deployment is under way in this state. */
export function isDeploying(state: DeploymentState): boolean {
  return state !== 'idle' && state !== 'committed' && state !== 'refused'
}

/** Whether the device is online and talks. */
export function statusOf({ availability, live }: DeviceRecord, nowMs: number): DeviceStatus {
  if (availability === undefined) return 'unknown'
  if (availability !== 'online') return availability
  if (!live.isKnown) return 'online'
  return nowMs - live.atMs > Math.max(silentAfterMs, 3 * live.windowMs) ? 'silent' : 'online'
}

type Written = { -readonly [Key in keyof FleetRow]: FleetRow[Key] }

/** The row of `device` at the monotonic time `nowMs`. With `row`, one that was made for the same device, fills that one. */
export function rowOf(device: DeviceRecord, nowMs: number, row: FleetRow = emptyRow(device.name)): FleetRow {
  const written: Written = row
  written.status = statusOf(device, nowMs)
  writeServed(written, device)
  writeLive(written, device)
  writeReports(written, device)
  writeDeployment(written, device)
  written.refused = device.refused
  const isAbsent = row.status === 'offline' || row.status === 'silent'
  const hasTrouble =
    row.failure !== undefined || row.isThrottled || row.refused > 0 || (row.drift ?? 0) > driftShift
  written.needsLook = isAbsent || hasTrouble
  return row
}

function emptyRow(name: string): FleetRow {
  return {
    name,
    status: 'unknown',
    ...{ board: '', model: '', version: '', variant: '', provider: '', why: '' },
    ...{ fps: undefined, p95Ms: undefined, temperatureC: undefined, isThrottled: false },
    ...{ map: undefined, drift: undefined },
    ...{ deployment: 'idle', deploymentVersion: '', progress: undefined, failure: undefined },
    refused: 0,
    needsLook: false,
  }
}

/** What is served: empty texts where the device has not said. */
function writeServed(row: Written, { info, reported }: DeviceRecord): void {
  const active = reported?.active
  row.board = info?.board ?? ''
  row.model = active?.model ?? ''
  row.version = active?.version ?? ''
  row.variant = active?.variant ?? ''
  row.provider = active?.provider ?? ''
  row.why = active?.why ?? ''
}

/** What is true of a device only while it talks. */
function writeLive(row: Written, { live }: DeviceRecord): void {
  const isTalking = row.status === 'online' && live.isKnown
  row.fps = isTalking ? known(live.fps) : undefined
  row.p95Ms = isTalking ? known(live.p95Ms) : undefined
  row.temperatureC = isTalking ? known(live.temperatureC) : undefined
  row.isThrottled = isTalking && live.throttled === 1
}

function known(figure: number): number | undefined {
  return Number.isNaN(figure) ? undefined : figure
}

function writeReports(row: Written, { reports }: DeviceRecord): void {
  row.map = reports.findLast(({ accuracy }) => accuracy !== undefined)?.accuracy?.map
  row.drift = reports.findLast((report) => report.drift?.scorePsi !== undefined)?.drift?.scorePsi
}

function writeDeployment(row: Written, device: DeviceRecord): void {
  const deployment = deploymentOf(device)
  row.deployment = deployment?.state ?? 'idle'
  row.deploymentVersion = deployment?.version ?? ''
  row.progress = deployment?.progress
  const { refusedWish, distrusted } = device.reported ?? {}
  row.failure = failureOfDevice(device)?.code ?? refusedWish?.error.code ?? distrusted?.code
}
