/** Telemetry, plugged into the agent's parts. */

import { statfs } from 'node:fs/promises'
import type { Clock } from '../../base/clock.js'
import { messageOf } from '../../base/errors.js'
import type { Logger } from '../../base/logger.js'
import { readMachineCondition } from '../../hardware/detect-hardware.js'
import type { AccuracyFigures } from '../../protocol/measurement.js'
import { encodeMetrics } from '../../protocol/metrics.js'
import type { Topics } from '../../protocol/topics.js'
import type { OutboxStore } from '../../store/outbox-store.js'
import type { ServingIdentity, TelemetryPorts } from '../../telemetry/ports.js'
import type { PrometheusFigures } from '../../telemetry/prometheus-figures.js'
import type { MqttConnection } from '../../transport/mqtt-connection.js'
import type { CameraHost } from '../serving/camera-host.js'
import type { ReportOutbox } from './report-outbox.js'

export interface TelemetryParts {
  readonly device: string
  readonly topics: Topics
  readonly connection: MqttConnection
  readonly cameras: CameraHost
  readonly outboxStore: OutboxStore
  readonly outbox: ReportOutbox
  /** Takes each sample as well, where given. */
  readonly figures: PrometheusFigures | undefined
  /** Where the models are. */
  readonly folder: string
  /** The active model on the golden set of its bundle. */
  readonly accuracy: (signal: AbortSignal) => Promise<AccuracyFigures | undefined>
  readonly clock: Clock
  readonly logger: Logger
}

export function telemetryPortsOf(parts: TelemetryParts): TelemetryPorts {
  const { cameras, connection, outboxStore, logger } = parts
  const serving = (): ServingIdentity | undefined => {
    const { model } = cameras
    return model === undefined ? undefined : { ...model.identity, provider: model.provider }
  }
  const topic = parts.topics.deviceState(parts.device, 'metrics')
  return {
    takeCameras: () => cameras.takeStats(),
    serving,
    failedFrames: () => cameras.failedFrames,
    machine: () => readMachineCondition(),
    accuracy: parts.accuracy,
    diskFreeBytes: async () => {
      try {
        const { bavail, bsize } = await statfs(parts.folder)
        return bavail * bsize
      } catch (thrown) {
        logger.debug({ reason: messageOf(thrown) }, 'free space is not known')
        return undefined
      }
    },
    outbox: () => ({ depth: outboxStore.size, dropped: outboxStore.dropped }),
    connection: () => {
      const { publishesDropped, reconnects } = connection.stats()
      return { publishesDropped, reconnects }
    },
    publish: (metrics) => {
      parts.figures?.take(metrics, serving())
      void connection.publish(topic, encodeMetrics(metrics), { qos: 0, retain: false })
    },
    report: (report) => {
      void parts.outbox.add(report)
    },
    clock: parts.clock,
    logger,
  }
}
