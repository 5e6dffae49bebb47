/**
 * A fleet to look at: `node dist/test/bench/simulate-fleet.js [devices] [broker url]`, until it is interrupted.
 * Starts a Mosquitto with a WebSocket listener of its own unless a broker is named, and prints where it listens.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '../../src/base/logger.js'
import { topicsBelow } from '../../src/protocol/topics.js'
import { MqttConnection } from '../../src/transport/mqtt-connection.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { SimulatedFleet } from '../helpers/simulated-fleet.js'
import { liveFleet } from '../helpers/simulated-life.js'

const count = Number(process.argv[2] ?? 40)
const named = process.argv[3]
const folder = mkdtempSync(join(tmpdir(), 'yolo-edge-fleet-'))
const broker = named === undefined ? await Mosquitto.start({ folder, hasWebSocket: true }) : undefined
const url = named ?? broker!.url
const connection = new MqttConnection(
  { url, clientId: `simulated-fleet-${process.pid}` },
  { logger: silentLogger },
)
await connection.start()
await connection.requireOnline(10_000)
const topics = topicsBelow('yolo-edge/v2')
const fleet = new SimulatedFleet(connection, topics, count)
await fleet.introduce()
const end = await liveFleet(fleet, connection, topics)
console.log(`${count} devices on ${url}`)
if (broker !== undefined) console.log(`WebSocket: ws://127.0.0.1:${broker.webSocketPort}`)
process.once('SIGINT', () => void stop())
process.once('SIGTERM', () => void stop())

async function stop(): Promise<void> {
  end()
  fleet.stop()
  await connection.stop()
  await broker?.stop()
  rmSync(folder, { recursive: true, force: true })
}
