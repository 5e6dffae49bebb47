/** Simulated devices against the embedded broker: what they fetch, prove, refuse and say. */

import t, { type Test } from 'tap'
import { systemClock } from '../../../src/base/clock.js'
import { DigestSink } from '../../../src/cli/simulate/digest-sink.js'
import type { SimulationOptions } from '../../../src/cli/simulate/simulated-device.js'
import { SimulatedFleet } from '../../../src/cli/simulate/simulated-fleet.js'
import { chunkRange } from '../../../src/protocol/blob.js'
import { cutBlob } from '../../../src/protocol/cut-blob.js'
import { parseDeployment } from '../../../src/protocol/deployment.js'
import { parseInfo } from '../../../src/protocol/info.js'
import { artefactsOf } from '../../../src/protocol/manifest.js'
import { parseMetrics } from '../../../src/protocol/metrics.js'
import { parseReported } from '../../../src/protocol/reported.js'
import { rolloutBucket } from '../../../src/protocol/rollout.js'
import { topicsBelow } from '../../../src/protocol/topics.js'
import type { MqttConnection } from '../../../src/transport/mqtt-connection.js'
import { bytesFrom } from '../../helpers/blobs.js'
import { openConnection, startBroker, until } from '../../helpers/broker.js'
import { fleetModel, TestFleet } from '../../helpers/test-fleet.js'

const topics = topicsBelow('yolo-edge/v2')
const retained = { qos: 1, retain: true } as const

interface Rehearsal {
  readonly publisher: TestFleet
  readonly connection: MqttConnection
  readonly fleet: SimulatedFleet
  /** Puts a version on the broker; `spoil` may change a chunk. */
  readonly put: (number: number, spoil?: (bytes: Uint8Array) => Uint8Array) => Promise<void>
  readonly wish: (number: number, percent?: number) => Promise<void>
}

async function rehearse(
  t: Test,
  count: number,
  changes: Partial<SimulationOptions> = {},
): Promise<Rehearsal> {
  const broker = await startBroker(t)
  const connection = await openConnection(t, broker.url)
  const publisher = new TestFleet()
  const fleet = new SimulatedFleet(
    count,
    {
      topics,
      clock: systemClock,
      connection: { url: broker.url, clientId: 'unused' },
      prefix: 'sim',
      firstNumber: 1,
    },
    {
      channel: 'stable',
      trust: publisher.trust,
      failShare: 0,
      trialMs: 1,
      soakMs: 1,
      metricsPeriodMs: 0,
      windowChunks: 8,
      spreadMs: 0,
      ...changes,
    },
  )
  t.teardown(() => fleet.stop())
  t.equal(await fleet.start(10_000, new AbortController().signal), count, 'all are online')
  return {
    publisher,
    connection,
    fleet,
    put: async (number, spoil = (bytes) => bytes) => {
      const { manifest, envelope } = publisher.publish(number)
      for (const { blob } of artefactsOf(manifest)) {
        const bytes = publisher.blob(blob.sha256)!
        for (const index of blob.chunks.keys()) {
          const { start, end } = chunkRange(blob, index)
          await connection.publish(
            topics.chunk(blob.sha256, index),
            spoil(bytes.subarray(start, end)),
            retained,
          )
        }
      }
      await connection.publish(topics.manifest(fleetModel, manifest.version), envelope, retained)
    },
    wish: async (number, percent = 100) => {
      const target = { kind: 'channel', name: 'stable' } as const
      const wish = publisher.wish(number, { target, rollout: { percent, salt: 's' } })
      await connection.publish(topics.channelDesired('stable'), wish, retained)
    },
  }
}

t.test('a sink has a chunk when its digest fits', async (t) => {
  const bytes = bytesFrom(1, 2500)
  const blob = cutBlob(bytes, 1024)
  const sink = new DigestSink(blob)
  t.same(sink.missingChunks(), [0, 1, 2])
  t.equal(await sink.writeChunk(2, bytes.subarray(2048)), 'stored')
  t.equal(await sink.writeChunk(0, bytes.subarray(1, 1025)), 'mismatch')
  t.equal(await sink.writeChunk(1, bytes.subarray(1024, 2000)), 'mismatch', 'too short')
  t.same(sink.missingChunks(), [0, 1])
})

t.test('devices fetch what a wish asks for, and say so', async (t) => {
  const { connection, fleet, put, wish, publisher } = await rehearse(t, 5, { metricsPeriodMs: 50 })
  await put(1)
  const said = new Map<string, Uint8Array>()
  const states: string[] = []
  const deployment = topics.deviceState('sim-00003', 'deployment')
  connection.subscribe([`${topics.root}/#`], 1, ({ topic, payload }) => {
    said.set(topic, payload)
    if (topic === deployment) states.push(parseDeployment(payload).state)
  })
  await wish(1)
  await until(() => fleet.outcomes.length === 5)
  const { manifest } = publisher.bundle('1.0.0')!
  const smallest = manifest.variants
    .map(({ artefact }) => artefact.blob)
    .sort((a, b) => a.sizeBytes - b.sizeBytes)[0]!
  const each = smallest.sizeBytes + manifest.golden!.artefact.blob.sizeBytes
  t.match(fleet.figures(), { online: 5, committed: 5, failed: 0, wrongChunks: 0, fetchedBytes: 5 * each })
  const state = (kind: Parameters<typeof topics.deviceState>[1]): Uint8Array =>
    said.get(topics.deviceState('sim-00003', kind))!
  await until(() => said.has(topics.deviceState('sim-00003', 'metrics')))
  // Messages of one topic may change places on their way through the embedded broker.
  await until(() => states.includes('committed') && states.includes('idle'))
  t.match(parseReported(state('reported')), { active: { version: '1.0.0' } })
  t.ok(parseInfo(state('info')).board)
  t.ok(parseMetrics(state('metrics')).cameras.length > 0)
  await fleet.stop()
  await until(() => Buffer.from(state('availability')).toString() === 'stopped')
})

t.test(
  'a rollout reaches its share and no more; a repeated wish reaches nobody; a larger share adds devices',
  async (t) => {
    const { fleet, put, wish } = await rehearse(t, 20)
    await put(1)
    const share = fleet.devices.filter(({ name }) => rolloutBucket(name, 's') < 40).length
    t.ok(share > 0 && share < 20)
    await wish(1, 40)
    await until(() => fleet.outcomes.length >= share)
    await wish(1, 40)
    await new Promise((resolve) => setTimeout(resolve, 200))
    t.equal(fleet.figures().committed, share, 'the same wish again asks nobody')
    await wish(1, 100)
    await until(() => fleet.outcomes.length === 20)
    t.equal(fleet.figures().committed, 20, 'a larger share only adds devices')
  },
)

t.test('spoilt chunks, foreign keys and a share that refuses', async (t) => {
  const spoilt = await rehearse(t, 1)
  // The spoilt bytes come first and are replaced: a device asks again until the digest fits.
  await spoilt.put(1, (bytes) => bytes.map((byte, index) => (index === 0 ? byte ^ 1 : byte)))
  await spoilt.wish(1)
  await new Promise((resolve) => setTimeout(resolve, 100))
  await spoilt.put(1)
  await until(() => spoilt.fleet.outcomes.length === 1)
  t.match(spoilt.fleet.figures(), { committed: 1 })
  t.ok(spoilt.fleet.figures().wrongChunks > 0, 'wrong chunks are counted')

  const foreign = await rehearse(t, 1)
  await foreign.put(1)
  const stranger = new TestFleet()
  const target = { kind: 'channel', name: 'stable' } as const
  await foreign.connection.publish(
    topics.channelDesired('stable'),
    foreign.publisher.wish(1, { target }, stranger.key),
    retained,
  )
  await new Promise((resolve) => setTimeout(resolve, 200))
  t.equal(foreign.fleet.outcomes.length, 0, 'a wish of a foreign key is not followed')

  const refusing = await rehearse(t, 4, { failShare: 1 })
  await refusing.put(1)
  await refusing.wish(1)
  await until(() => refusing.fleet.outcomes.length === 4)
  t.match(refusing.fleet.figures(), { refused: 4, errors: { 'deployment.accuracy_low': 4 } })
})

t.test('a variant that is not there is told by name', async (t) => {
  const { fleet, put, wish } = await rehearse(t, 1, { variant: 'huge' })
  await put(1)
  await wish(1)
  await until(() => fleet.outcomes.length === 1)
  t.match(fleet.outcomes[0], { result: 'failed', error: { message: /no variant huge, only/ } })
  t.equal(fleet.outcomes[0]!.fetchedBytes, 0)
})
