/**
 * Where each version of each model stands in the fleet, from what devices say of their deployments.
 * Invariant: a device counts once in each model as moving or serving, and as failed at the version that it did not take.
 */

import type { DeploymentState } from '../../protocol/deployment.js'
import type { Desired } from '../../protocol/desired.js'
import { type DeviceRecord, deploymentOf, failureOfDevice } from './device-record.js'
import { isDeploying } from './fleet-row.js'

/** How far a device is with a version; `waiting` has all files and waits for the hours in which it may change its model. */
export type Stage = 'serving' | 'soaking' | 'trying' | 'waiting' | 'fetching' | 'failed'

/** The order in which stages are drawn. */
export const stages: readonly Stage[] = ['serving', 'soaking', 'trying', 'waiting', 'fetching', 'failed']

/** A device that did not take a version, and why. */
export interface Failure {
  readonly device: string
  readonly code: string
  readonly message: string
}

/** How far one version of a model has come in the fleet. */
export interface VersionRollout {
  readonly model: string
  readonly version: string
  readonly counts: Readonly<Record<Stage, number>>
  readonly devices: number
  readonly failures: readonly Failure[]
  /** The wishes of the channels that ask for the version. */
  readonly channels: readonly Desired[]
}

const stageOfState: Readonly<Record<DeploymentState, Stage | undefined>> = {
  idle: undefined,
  offered: 'fetching',
  downloading: 'fetching',
  verifying: 'fetching',
  staged: 'waiting',
  trial: 'trying',
  switching: 'trying',
  soaking: 'soaking',
  committed: 'serving',
  refused: 'failed',
  rollingBack: 'failed',
}

interface Growing {
  readonly model: string
  readonly version: string
  readonly counts: Record<Stage, number>
  readonly failures: Failure[]
  devices: number
}

/** All versions that are served, moved to, refused or asked for; models by name, newest version first. */
export function rolloutsOf(
  devices: Iterable<DeviceRecord>,
  channels: Iterable<Desired>,
): readonly VersionRollout[] {
  const versions = new Map<string, Growing>()
  const at = (model: string, version: string): Growing => {
    const key = `${model} ${version}`
    const known = versions.get(key)
    if (known !== undefined) return known
    const counts = { serving: 0, soaking: 0, trying: 0, waiting: 0, fetching: 0, failed: 0 }
    const fresh: Growing = { model, version, counts, failures: [], devices: 0 }
    versions.set(key, fresh)
    return fresh
  }
  const wishes = [...channels]
  for (const device of devices) {
    countDevice(device, at)
    countRefusal(device, wishes, at)
  }
  for (const { model, version } of wishes) at(model, version)
  const byVersion = new Intl.Collator('en', { numeric: true })
  return [...versions.values()]
    .map((growing) => ({
      ...growing,
      channels: wishes.filter(({ model, version }) => model === growing.model && version === growing.version),
    }))
    .sort(
      (one, other) => one.model.localeCompare(other.model) || byVersion.compare(other.version, one.version),
    )
}

function countDevice(device: DeviceRecord, at: (model: string, version: string) => Growing): void {
  const deployment = deploymentOf(device)
  const active = device.reported?.active
  const error = failureOfDevice(device)
  // A deployment that a person ended is on its way to nothing, also while the model before comes back.
  const isEnded = error === undefined && device.courses[0]?.error !== undefined
  const moving =
    deployment !== undefined && isDeploying(deployment.state) && !isEnded ? deployment : undefined
  if (moving === undefined && active !== undefined) {
    const serving = at(active.model, active.version)
    serving.counts.serving++
    serving.devices++
  }
  if (deployment === undefined || isEnded) return
  const stage = error !== undefined ? 'failed' : stageOfState[deployment.state]
  if (stage === undefined || (moving === undefined && stage !== 'failed')) return
  const target = at(deployment.model, deployment.version)
  target.counts[stage]++
  target.devices++
  if (error !== undefined) target.failures.push({ device: device.name, ...error })
}

/** A device that did not even take the wish of its channel: of a wish that it refused once and that is gone, nothing is said. */
function countRefusal(
  { name, reported }: DeviceRecord,
  wishes: readonly Desired[],
  at: (model: string, version: string) => Growing,
): void {
  const refusal = reported?.refusedWish
  if (refusal?.target.kind !== 'channel') return
  const wish = wishes.find(({ target }) => target.name === refusal.target.name)
  if (wish === undefined || wish.sequence !== refusal.sequence) return
  const { model, version } = wish
  if (reported?.active?.model === model && reported.active.version === version) return
  const target = at(model, version)
  if (target.failures.some(({ device }) => device === name)) return
  target.counts.failed++
  target.devices++
  target.failures.push({ device: name, ...refusal.error })
}
