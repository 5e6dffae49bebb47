/** What a page knows of one device. Invariant: every list in it is bounded; nothing in it was made up by the page. */

import type { Availability } from '../../protocol/availability.js'
import type { Deployment } from '../../protocol/deployment.js'
import type { DeviceInfo } from '../../protocol/info.js'
import type { Metrics } from '../../protocol/metrics.js'
import type { Report } from '../../protocol/report.js'
import type { Reported } from '../../protocol/reported.js'
import { Samples } from './samples.js'

/** One deployment as it went, newest state last. */
export interface DeploymentCourse {
  readonly id: string
  readonly latest: Deployment
  /** States in the order in which they were heard. */
  readonly states: readonly { readonly state: Deployment['state']; readonly at: string }[]
  /** The refusal or the reason of the rollback, also after the device went back to idle. */
  readonly error?: NonNullable<Deployment['error']>
}

/** Everything heard of one device since the page is open. */
export interface DeviceRecord {
  readonly name: string
  availability?: Availability
  info?: DeviceInfo
  reported?: Reported
  metrics?: Metrics
  /** When metrics last arrived, by the page's monotonic clock. */
  metricsAtMs?: number
  /** Newest first. */
  courses: readonly DeploymentCourse[]
  /** Oldest first, each id once. */
  reports: readonly Report[]
  readonly samples: Samples
  /** Messages of this device that could not be read, and the last reason. */
  refused: number
  refusal?: string
  /** Rises with each message. */
  revision: number
}

const coursesMax = 30
const reportsMax = 60
const statesMax = 40

/** A device of which nothing is known yet. */
export function newDevice(name: string): DeviceRecord {
  return { name, courses: [], reports: [], samples: new Samples(240, 4000), refused: 0, revision: 0 }
}

/** The deployment under way or the last one. */
export function deploymentOf(device: DeviceRecord): Deployment | undefined {
  return device.courses[0]?.latest
}

/** Adds one step of a deployment to the courses of `device`. */
export function addDeployment(device: DeviceRecord, deployment: Deployment): void {
  const known = device.courses.find(({ id }) => id === deployment.id)
  const states = known?.states ?? []
  const isNew = states.at(-1)?.state !== deployment.state
  const error = deployment.error ?? known?.error
  const course: DeploymentCourse = {
    id: deployment.id,
    latest: deployment,
    states: isNew ? [...states, { state: deployment.state, at: deployment.at }].slice(-statesMax) : states,
    ...(error !== undefined && { error }),
  }
  const others = device.courses.filter(({ id }) => id !== deployment.id)
  device.courses = [course, ...others].slice(0, coursesMax)
}

/** Adds a report unless it is known already. */
export function addReport(device: DeviceRecord, report: Report): void {
  if (device.reports.some(({ id }) => id === report.id)) return
  const reports = [...device.reports, report]
  if (report.historical === true) reports.sort((one, other) => one.at.localeCompare(other.at))
  device.reports = reports.slice(-reportsMax)
}

/** Adds a sample of metrics. `nowMs` is wall time: the device's own clock may be wrong. */
export function addMetrics(device: DeviceRecord, metrics: Metrics, nowMs: number, monotonicMs: number): void {
  device.metrics = metrics
  device.metricsAtMs = monotonicMs
  const worst = (pick: (camera: Metrics['cameras'][number]) => number | undefined): number => {
    const values = metrics.cameras.map(pick).filter((value) => value !== undefined)
    return values.length === 0 ? Number.NaN : Math.max(...values)
  }
  device.samples.add({
    atMs: nowMs,
    p50Ms: worst(({ inference }) => inference?.p50Ms),
    p95Ms: worst(({ inference }) => inference?.p95Ms),
    endToEndP95Ms: worst(({ endToEnd }) => endToEnd?.p95Ms),
    fps: metrics.cameras.reduce((sum, { processedFps }) => sum + processedFps, 0),
    temperatureC: metrics.temperatureC ?? Number.NaN,
  })
}
