/**
 * What the device says of itself in retained topics.
 * Invariant: `reported` says what is in front of the cameras, never what should be; a state that cannot be written down is
 * logged, never thrown at whoever changed it.
 */

import type { Clock } from '../../base/clock.js'
import { messageOf } from '../../base/errors.js'
import type { Logger } from '../../base/logger.js'
import { type Deployment, encodeDeployment, failureOf, type WireError } from '../../protocol/deployment.js'
import { type DeviceInfo, encodeInfo } from '../../protocol/info.js'
import {
  encodeReported,
  type RefusedModel,
  type RefusedWish,
  type Reported,
  type RestoringModel,
  type RunningModel,
  type UpdatingModel,
} from '../../protocol/reported.js'
import type { Topics } from '../../protocol/topics.js'
import type { MqttConnection } from '../../transport/mqtt-connection.js'
import { reasonLine, wireError } from '../../update/deployment-message.js'
import type { DeploymentRecord } from '../../update/deployment-record.js'
import type { Outcome } from '../../update/outcomes.js'
import type { Restoring, ServedModel, SlotsView } from '../../update/ports.js'

export interface DeviceStatusPorts {
  readonly connection: MqttConnection
  readonly topics: Topics
  readonly device: string
  slots(): SlotsView
  readonly clock: Clock
  readonly logger: Logger
}

/** What is not in the slots. */
export interface ServingFacts {
  /** What is in front of the cameras, and the execution provider that it runs on; undefined while none serves. */
  readonly served: { readonly served: ServedModel; readonly provider: string } | undefined
  /** What should serve and cannot be proven right. */
  readonly restoring: Restoring | undefined
  /** The deployment under way, or the last one of this process. */
  readonly deployment: Pick<DeploymentRecord, 'id' | 'model' | 'version' | 'error'> | undefined
  /** How earlier deployments ended, the newest last: what was refused is told also after a restart. */
  readonly outcomes: readonly Outcome[]
  readonly desiredSequence: number | undefined
  /** The last wish that was not taken, and how many since the start. */
  readonly refusedWish: RefusedWish | undefined
  readonly refusedWishes: number
  /** Why the active model would not be accepted today. */
  readonly distrust: WireError | undefined
}

export class DeviceStatus {
  readonly #ports: DeviceStatusPorts
  #refused: RefusedModel | undefined
  #updating: UpdatingModel | undefined

  constructor(ports: DeviceStatusPorts) {
    this.#ports = ports
  }

  sayInfo(info: DeviceInfo): void {
    this.#say('info', () => encodeInfo(info))
  }

  sayDeployment(deployment: Deployment): void {
    this.#updating = updatingModel(deployment)
    this.#say('deployment', () => encodeDeployment(deployment))
  }

  sayReported({ served, restoring, deployment, outcomes, ...wishes }: ServingFacts): void {
    const { desiredSequence, refusedWish, refusedWishes, distrust } = wishes
    const slots = this.#ports.slots()
    const at = new Date(this.#ports.clock.wallMs()).toISOString()
    this.#refused = this.#refusalNow(deployment, outcomes, slots, at)
    const reported: Reported = {
      at,
      ...runningModels(served, slots),
      ...(this.#updating !== undefined && { updating: this.#updating }),
      ...(restoring !== undefined && { restoring: restoringModel(restoring) }),
      ...(distrust !== undefined && { distrusted: distrust }),
      ...(this.#refused !== undefined && { refused: this.#refused }),
      ...(refusedWish !== undefined && { refusedWish }),
      ...(refusedWishes > 0 && { refusedWishes }),
      ...(desiredSequence !== undefined && { desiredSequence }),
    }
    this.#say('reported', () => encodeReported(reported))
  }

  #refusalNow(
    deployment: ServingFacts['deployment'],
    outcomes: readonly Outcome[],
    { active, beforeSwitch }: SlotsView,
    at: string,
  ): RefusedModel | undefined {
    const known = this.#refused
    const error = failureOf(deployment?.error)
    if (deployment !== undefined && error !== undefined) {
      const { model, version } = deployment
      if (known?.version === version && known.error.code === error.code) return known
      return { model, version, at, error: wireError(error.code, error.message) }
    }
    const isKept = deployment?.id === active?.deploymentId && beforeSwitch === undefined
    if (deployment?.error === undefined && deployment !== undefined && isKept) return undefined
    return known ?? lastRefusal(outcomes)
  }

  #say(kind: 'info' | 'deployment' | 'reported', encode: () => Uint8Array): void {
    const { connection, topics, device, logger } = this.#ports
    try {
      void connection.publishState(topics.deviceState(device, kind), encode())
    } catch (thrown) {
      logger.error({ kind, reason: messageOf(thrown) }, 'state could not be written down')
    }
  }
}

/** The newest end of a deployment that failed, unless a later one was committed. */
function lastRefusal(outcomes: readonly Outcome[]): RefusedModel | undefined {
  for (const { model, version, endedAtMs, result, code, message } of outcomes.toReversed()) {
    if (result === 'committed' || model === undefined || version === undefined) return undefined
    const error = failureOf(
      code === undefined ? undefined : { code, message: message ?? 'no reason was kept' },
    )
    if (error !== undefined) return { model, version, at: new Date(endedAtMs ?? 0).toISOString(), error }
  }
  return undefined
}

/** What serves and what a rollback would bring back; while the model before fills in, there is nothing behind it. */
function runningModels(
  serving: ServingFacts['served'],
  { active, previous }: SlotsView,
): Pick<Reported, 'active' | 'previous'> {
  const { served, provider = 'none' } = serving ?? {}
  // The slots know since when it is active.
  const running = active?.deploymentId === served?.deploymentId ? active : served
  const isBehind = previous !== undefined && previous.deploymentId !== served?.deploymentId
  return {
    ...(served !== undefined && running !== undefined && { active: runningModel(running, provider) }),
    ...(isBehind && { previous: runningModel(previous, provider) }),
  }
}

/** Where each state of a good course begins and ends on the whole way, 0..1. */
const wayOf: Readonly<Partial<Record<Deployment['state'], readonly [number, number]>>> = {
  offered: [0, 0],
  downloading: [0, 0.5],
  verifying: [0.5, 0.55],
  staged: [0.55, 0.55],
  trial: [0.55, 0.8],
  switching: [0.8, 0.8],
  soaking: [0.8, 1],
}

/** The version that is on its way; undefined once it serves for good, or was refused. */
function updatingModel({ model, version, state, progress = 0 }: Deployment): UpdatingModel | undefined {
  const way = wayOf[state]
  if (way === undefined) return undefined
  const [from, to] = way
  return { model, version, state, progress: Math.round((from + (to - from) * progress) * 1000) / 1000 }
}

function restoringModel({ model, sinceMs, error }: Restoring): RestoringModel {
  const { version, variantId: variant } = model
  return { model: model.model, version, variant, since: new Date(sinceMs).toISOString(), error }
}

function runningModel(served: ServedModel, provider: string): RunningModel {
  return {
    model: served.model,
    version: served.version,
    variant: served.variantId,
    sha256: served.blobSha256s[0]!,
    provider,
    since: new Date(served.sinceMs).toISOString(),
    ...(served.why !== undefined && { why: reasonLine(served.why) }),
  }
}
