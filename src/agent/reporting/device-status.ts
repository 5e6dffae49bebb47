/**
 * What the device says of itself in retained topics.
 * Invariant: `reported` says what serves, as the slots on disk have it; a state that cannot be written down is logged, never
 * thrown at whoever changed it.
 */

import type { Clock } from '../../base/clock.js'
import { messageOf } from '../../base/errors.js'
import type { Logger } from '../../base/logger.js'
import { type Deployment, encodeDeployment } from '../../protocol/deployment.js'
import { type DeviceInfo, encodeInfo } from '../../protocol/info.js'
import {
  encodeReported,
  type RefusedModel,
  type Reported,
  type RunningModel,
} from '../../protocol/reported.js'
import type { Topics } from '../../protocol/topics.js'
import type { MqttConnection } from '../../transport/mqtt-connection.js'
import { wireError } from '../../update/deployment-message.js'
import type { DeploymentRecord } from '../../update/deployment-record.js'
import type { ServedModel, SlotsView } from '../../update/ports.js'

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
  /** The execution provider that the active model runs on; undefined while none serves. */
  readonly provider: string | undefined
  /** The deployment under way, or the last one; it knows why the variant was chosen that it brought. */
  readonly deployment: Pick<DeploymentRecord, 'id' | 'model' | 'version' | 'why' | 'error'> | undefined
  readonly desiredSequence: number | undefined
}

/** Ends of a deployment that say nothing against its version. */
const harmlessCodes = new Set(['deployment.wish_superseded', 'deployment.variant_kept'])

export class DeviceStatus {
  readonly #ports: DeviceStatusPorts
  /** Of the last deployment that chose a variant: a later one that was refused does not make it forgotten. */
  #choice: { readonly id: string; readonly why: string } | undefined

  #refused: RefusedModel | undefined

  constructor(ports: DeviceStatusPorts) {
    this.#ports = ports
  }

  sayInfo(info: DeviceInfo): void {
    this.#say('info', () => encodeInfo(info))
  }

  sayDeployment(deployment: Deployment): void {
    this.#say('deployment', () => encodeDeployment(deployment))
  }

  sayReported({ provider, deployment, desiredSequence }: ServingFacts): void {
    const { active, previous } = this.#ports.slots()
    if (deployment?.why !== undefined) this.#choice = { id: deployment.id, why: deployment.why }
    const why = active?.deploymentId === this.#choice?.id ? this.#choice?.why : undefined
    const at = new Date(this.#ports.clock.wallMs()).toISOString()
    this.#noteRefusal(deployment, active?.deploymentId, at)
    const reported: Reported = {
      at,
      ...(active !== undefined && provider !== undefined && { active: runningModel(active, provider, why) }),
      ...(previous !== undefined && { previous: runningModel(previous, provider ?? 'none', undefined) }),
      ...(this.#refused !== undefined && { refused: this.#refused }),
      ...(desiredSequence !== undefined && { desiredSequence }),
    }
    this.#say('reported', () => encodeReported(reported))
  }

  #noteRefusal(deployment: ServingFacts['deployment'], activeId: string | undefined, at: string): void {
    if (deployment === undefined) return
    const { id, model, version, error } = deployment
    if (error === undefined) {
      if (id === activeId) this.#refused = undefined
      return
    }
    const isKnown = this.#refused?.version === version && this.#refused.error.code === error.code
    if (!isKnown && !harmlessCodes.has(error.code))
      this.#refused = { model, version, at, error: wireError(error.code, error.message) }
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

function runningModel(served: ServedModel, provider: string, why: string | undefined): RunningModel {
  return {
    model: served.model,
    version: served.version,
    variant: served.variantId,
    sha256: served.blobSha256s[0]!,
    provider,
    since: new Date(served.sinceMs).toISOString(),
    ...(why !== undefined && { why: why.slice(0, 500) }),
  }
}
