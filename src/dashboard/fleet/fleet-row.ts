/** One line of the fleet table. Invariant: computed from a record and the time alone; absent figures are undefined. */

import type { DeploymentState } from '../../protocol/deployment.js'
import { type DeviceRecord, deploymentOf } from './device-record.js'

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
  /** Code of the last refusal or rollback, unless a later deployment went well. */
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
export function statusOf({ availability, metrics, metricsAtMs }: DeviceRecord, nowMs: number): DeviceStatus {
  if (availability === undefined) return 'unknown'
  if (availability !== 'online') return availability
  if (metrics === undefined || metricsAtMs === undefined) return 'online'
  return nowMs - metricsAtMs > Math.max(silentAfterMs, 3 * metrics.windowMs) ? 'silent' : 'online'
}

/** What is served: empty texts where the device has not said. */
function servedBy({
  info,
  reported,
}: DeviceRecord): Pick<FleetRow, 'board' | 'model' | 'version' | 'variant' | 'provider' | 'why'> {
  const { model = '', version = '', variant = '', provider = '', why = '' } = reported?.active ?? {}
  return { board: info?.board ?? '', model, version, variant, provider, why }
}

type Live = Pick<FleetRow, 'fps' | 'p95Ms' | 'temperatureC' | 'isThrottled'>

const notLive: Live = { fps: undefined, p95Ms: undefined, temperatureC: undefined, isThrottled: false }

/** What is true of a device only while it talks. */
function liveOf({ metrics }: DeviceRecord): Live {
  if (metrics === undefined) return notLive
  const p95s = metrics.cameras.flatMap(({ inference }) => inference?.p95Ms ?? [])
  return {
    fps: metrics.cameras.reduce((sum, camera) => sum + camera.processedFps, 0),
    p95Ms: p95s.length > 0 ? Math.max(...p95s) : undefined,
    temperatureC: metrics.temperatureC,
    isThrottled: metrics.throttled === true,
  }
}

function deploymentPart(
  device: DeviceRecord,
): Pick<FleetRow, 'deployment' | 'deploymentVersion' | 'progress'> {
  const deployment = deploymentOf(device)
  return {
    deployment: deployment?.state ?? 'idle',
    deploymentVersion: deployment?.version ?? '',
    progress: deployment?.progress,
  }
}

/** The row of `device` at the monotonic time `nowMs`. */
export function rowOf(device: DeviceRecord, nowMs: number): FleetRow {
  const { name, reports, courses, refused } = device
  const status = statusOf(device, nowMs)
  const live = status === 'online' ? liveOf(device) : notLive
  const measured = reports.findLast(({ accuracy }) => accuracy !== undefined)
  const drift = reports.findLast((report) => report.drift?.scorePsi !== undefined)?.drift?.scorePsi
  const failure = courses[0]?.error?.code
  const isAbsent = status === 'offline' || status === 'silent'
  const hasTrouble = failure !== undefined || live.isThrottled || refused > 0 || (drift ?? 0) > driftShift
  return {
    name,
    status,
    ...servedBy(device),
    ...live,
    map: measured?.accuracy?.map,
    drift,
    ...deploymentPart(device),
    failure,
    refused,
    needsLook: isAbsent || hasTrouble,
  }
}
