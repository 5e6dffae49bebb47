/** What a page knows of one device. Invariant: every list in it is bounded; nothing in it was made up by the page. */

import type { Availability } from '../../protocol/availability.js'
import { type Deployment, failureOf } from '../../protocol/deployment.js'
import type { DeviceInfo } from '../../protocol/info.js'
import type { Metrics } from '../../protocol/metrics.js'
import type { Report } from '../../protocol/report.js'
import type { RefusedWish, Reported } from '../../protocol/reported.js'
import { LiveFigures } from './live-figures.js'
import { Samples } from './samples.js'

/** Times of an arrival by the page's clocks: a device's own may be wrong. */
export interface Arrival {
  readonly wallMs: number
  readonly monotonicMs: number
}

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
  readonly live: LiveFigures
  /** The deployments of the device that were heard of, the newest first. */
  courses: readonly DeploymentCourse[]
  /** The reports that were heard, the oldest first, each id once. */
  reports: readonly Report[]
  readonly samples: Samples
  /** Messages of this device that could not be read, and the last reason. */
  refused: number
  refusal?: string
}

const coursesMax = 30
const reportsMax = 60
const statesMax = 40

/** A device of which nothing is known yet. */
export function newDevice(name: string): DeviceRecord {
  const samples = new Samples(240, 4000)
  return { name, live: new LiveFigures(), courses: [], reports: [], samples, refused: 0 }
}

/** The deployment under way or the last one. */
export function deploymentOf(device: DeviceRecord): Deployment | undefined {
  return device.courses[0]?.latest
}

/** Why the deployment under way or the last one failed; undefined when it went well, or a person ended it. */
export function failureOfDevice(device: DeviceRecord): Deployment['error'] {
  return failureOf(device.courses[0]?.error)
}

/** A wish that a device did not take. */
export interface WishRefusal extends RefusedWish {
  readonly device: string
}

/** The refusals of wishes that stand, one a device. */
export function wishRefusals(devices: Iterable<DeviceRecord>): readonly WishRefusal[] {
  return [...devices].flatMap(({ name, reported }) =>
    reported?.refusedWish === undefined ? [] : [{ device: name, ...reported.refusedWish }],
  )
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

/** Adds what one message of metrics says to the figures and samples of `device`. */
export function addMetrics(device: DeviceRecord, metrics: Metrics, arrival: Arrival): void {
  device.live.update(metrics, arrival.monotonicMs)
  device.samples.add(arrival.wallMs, device.live)
}
