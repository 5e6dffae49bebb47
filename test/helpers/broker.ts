/** Connections for tests: quick to give up and quick to try again. */

import type { Test } from 'tap'
import { silentLogger } from '../../src/base/logger.js'
import type { ConnectionOptions } from '../../src/transport/connection-options.js'
import { EmbeddedBroker } from '../../src/transport/embedded-broker.js'
import type { EmbeddedBrokerOptions } from '../../src/transport/embedded-broker.js'
import { MqttConnection } from '../../src/transport/mqtt-connection.js'

let clientCount = 0

/** A started in-process broker that ends with the test. */
export async function startBroker(t: Test, options: EmbeddedBrokerOptions = {}): Promise<EmbeddedBroker> {
  const broker = new EmbeddedBroker(options)
  await broker.start()
  t.teardown(() => broker.stop())
  return broker
}

/** A started connection that ends with the test; not necessarily online yet. */
export async function startConnection(
  t: Test,
  url: string,
  options: Partial<ConnectionOptions> = {},
): Promise<MqttConnection> {
  const connection = new MqttConnection(
    {
      url,
      clientId: `test-${process.pid}-${clientCount++}`,
      backoff: { firstMs: 20, capMs: 100 },
      ...options,
    },
    { logger: silentLogger },
  )
  await connection.start()
  t.teardown(() => connection.stop())
  return connection
}

/** A started connection that is online. */
export async function openConnection(
  t: Test,
  url: string,
  options: Partial<ConnectionOptions> = {},
): Promise<MqttConnection> {
  const connection = await startConnection(t, url, options)
  await connection.requireOnline(10_000)
  return connection
}

/** Resolves when `condition` holds; rejects after ten seconds. */
export async function until(condition: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    if (condition()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('the condition did not come true within ten seconds')
}
