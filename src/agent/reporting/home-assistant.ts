/**
 * Announces the device to Home Assistant where the settings ask for it.
 * Invariant: what is announced depends on settings and hardware alone, so it is said once a start.
 */

import { messageOf } from '../../base/errors.js'
import type { Logger } from '../../base/logger.js'
import type { Config } from '../../config/config.js'
import { encodeHomeAssistantDevice, homeAssistantTopic } from '../../protocol/home-assistant.js'
import type { Topics } from '../../protocol/topics.js'
import type { MqttConnection } from '../../transport/mqtt-connection.js'

interface Announcing {
  readonly connection: MqttConnection
  readonly topics: Topics
  readonly device: string
  readonly board: string
  readonly agentVersion: string
  readonly logger: Logger
}

/** The topics that hold an announcement while the settings are as they are: one or none. */
export function announcedTopics(
  { homeassistant: { enabled, prefix } }: Config,
  topics: Topics,
  device: string,
): readonly string[] {
  return enabled ? [homeAssistantTopic(prefix, topics, device)] : []
}

/** Says what the device has, if the settings ask for it; too many entities are an error in the log and no announcement. */
export function announceToHomeAssistant(config: Config, facts: Announcing): void {
  const { connection, topics, device, board, agentVersion, logger } = facts
  for (const topic of announcedTopics(config, topics, device)) {
    try {
      const cameras = config.cameras.map(({ name, scene }) => ({
        name,
        hasPictures: config.homeassistant.pictureS > 0,
        zones: scene?.zones ?? [],
        lines: scene?.lines ?? [],
      }))
      const payload = encodeHomeAssistantDevice({ device, topics, board, agentVersion, cameras })
      void connection.publishState(topic, payload)
    } catch (thrown) {
      logger.error({ topic, reason: messageOf(thrown) }, 'Home Assistant does not hear of this device')
    }
  }
}
