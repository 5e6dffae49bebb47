/** Zones, lines and events, as the settings ask for them, plugged into the agent's parts. */

import { systemClock } from '../../base/clock.js'
import type { Logger } from '../../base/logger.js'
import type { Config } from '../../config/config.js'
import type { Topics } from '../../protocol/topics.js'
import type { Store } from '../../store/store.js'
import type { PrometheusFigures } from '../../telemetry/prometheus-figures.js'
import type { MqttConnection } from '../../transport/mqtt-connection.js'
import type { ReportOutbox } from '../reporting/report-outbox.js'
import type { CameraSceneOptions } from './camera-scene.js'
import { Scenes } from './scenes.js'

interface SceneParts {
  readonly device: string
  readonly topics: Topics
  readonly store: Store
  readonly connection: MqttConnection
  readonly outbox: ReportOutbox
  /** Counts what happens for Prometheus as well, where given. */
  readonly figures: PrometheusFigures | undefined
  readonly logger: Logger
}

/** Opens the zones and lines of the cameras that have any. */
export function openScenes({ cameras, tracking, events }: Config, parts: SceneParts): Promise<Scenes> {
  const { device, topics, store, connection, outbox, figures, logger } = parts
  return Scenes.open({
    cameras,
    bufferMs: tracking.bufferS * 1000,
    record: store.counts,
    say: (camera, payload) => {
      void connection.publishState(topics.counts(device, camera), payload)
    },
    figures: figures?.scenes,
    events: events.enabled ? eventOptionsOf(events, outbox) : undefined,
    clock: systemClock,
    logger,
  })
}

function eventOptionsOf(
  { updateS, rateMax, pictures, pictureWidth, pictureBoxes }: Config['events'],
  outbox: ReportOutbox,
): CameraSceneOptions['events'] {
  return {
    updateMs: updateS * 1000,
    rateMax,
    pictures: pictures ? { widthMax: pictureWidth, drawsBox: pictureBoxes } : undefined,
    send: (event) => outbox.addEvent(event),
  }
}
