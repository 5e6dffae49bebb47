/** Puts a version of a test fleet on a broker, as `publish` does. */

import type { Topics } from '../../src/protocol/topics.js'
import type { MqttConnection } from '../../src/transport/mqtt-connection.js'
import { publishBundle } from '../../src/transport/publish-bundle.js'
import type { TestFleet } from './test-fleet.js'

/** Publishes version `number`.0.0; `quietMs` is how long the broker may say nothing before what it holds counts as read. */
export async function publishVersion(
  connection: MqttConnection,
  topics: Topics,
  fleet: TestFleet,
  number: number,
  quietMs = 50,
): Promise<void> {
  const { manifest, envelope } = fleet.publish(number)
  await publishBundle(
    connection,
    topics,
    {
      manifest,
      envelope,
      readChunk: (blob, start, size) =>
        Promise.resolve(fleet.blob(blob.sha256)!.subarray(start, start + size)),
    },
    { reading: { quietMs } },
  )
}
