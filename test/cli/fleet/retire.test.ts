import t, { type Test } from 'tap'
import type { FleetConnection } from '../../../src/cli/fleet/fleet-connection.js'
import { retireVersion } from '../../../src/cli/fleet/retire.js'
import { sendWish, wishFor } from '../../../src/cli/fleet/wish.js'
import { artefactsOf } from '../../../src/protocol/manifest.js'
import { topicsBelow } from '../../../src/protocol/topics.js'
import { publishRetained } from '../../../src/transport/publish-retained.js'
import { readRetained } from '../../../src/transport/retained-reading.js'
import { openConnection, startBroker } from '../../helpers/broker.js'
import { MqttProxy } from '../../helpers/mqtt-proxy.js'
import { publishVersion } from '../../helpers/publish-version.js'
import { TestFleet, fleetModel } from '../../helpers/test-fleet.js'

const topics = topicsBelow('yolo-edge/v2')

interface Published extends FleetConnection {
  readonly fleet: TestFleet
  /** Topics that the broker holds. */
  readonly held: () => Promise<readonly string[]>
  readonly url: string
}

const reading = { quietMs: 100 }

/** A broker with the versions 1.0.0 and 2.0.0, which share their golden set. */
async function published(t: Test): Promise<Published> {
  const broker = await startBroker(t)
  const connection = await openConnection(t, broker.url)
  const fleet = new TestFleet()
  for (const number of [1, 2]) await publishVersion(connection, topics, fleet, number)
  const chunks = [1, 2].flatMap((number) =>
    artefactsOf(fleet.bundle(`${number}.0.0`)!.manifest).flatMap(({ blob }) =>
      blob.chunks.map((_, index) => topics.chunk(blob.sha256, index)),
    ),
  )
  const filters = [...new Set([...chunks, topics.allManifests()])]
  const held = async (): Promise<readonly string[]> =>
    [...(await readRetained(connection, filters, { quietMs: 200 })).messages.keys()].sort()
  return { connection, topics, fleet, held, url: broker.url }
}

t.test('a version goes with its chunks; what another version needs stays', async (t) => {
  const { fleet, held, ...connected } = await published(t)
  const before = await held()
  const progress: number[] = []
  const retired = { model: fleetModel, version: '1.0.0' }
  const onProgress = (fraction: number): void => {
    progress.push(fraction)
  }
  const figures = await retireVersion(connected, retired, { onProgress, reading })
  const after = await held()
  t.ok(figures.clearedChunks > 0)
  t.ok(figures.keptChunks > 0, 'the golden set is shared')
  t.equal(progress.length, figures.clearedChunks)
  t.equal(after.length, before.length - figures.clearedChunks - 1)
  t.notOk(after.includes(topics.manifest(fleetModel, '1.0.0')))
  for (const { blob } of artefactsOf(fleet.bundle('2.0.0')!.manifest))
    for (const index of blob.chunks.keys()) t.ok(after.includes(topics.chunk(blob.sha256, index)))
})

t.test('a version that somebody is told to run stays', async (t) => {
  const { fleet, held, ...connected } = await published(t)
  const wanted = { model: fleetModel, version: '2.0.0' }
  await sendWish(connected, wishFor(wanted, { kind: 'device', name: 'pi' }, 1), [fleet.key])
  const before = await held()
  await t.rejects(retireVersion(connected, wanted, { reading }), {
    code: 'bundle.version_wanted',
    message: /device pi is told to run it/,
  })
  t.same(await held(), before)
})

t.test('what cannot be read is named, and what it may need stays until it is settled', async (t) => {
  const { connection, held, topics: names } = await published(t)
  const connected = { connection, topics: names }
  const retired = { model: fleetModel, version: '1.0.0' }
  await t.rejects(retireVersion(connected, { ...retired, version: '9.0.0' }, { reading }), {
    code: 'bundle.file_missing',
  })
  const rubbish = topics.manifest('other', '1.0.0')
  await connection.publish(rubbish, Buffer.from('rubbish'), { qos: 1, retain: true })
  const before = await held()
  const figures = await retireVersion(connected, retired, { reading })
  t.match(figures, { clearedChunks: 0, doubts: [/^the manifest of other 1\.0\.0 cannot be read/] })
  t.same(
    await held(),
    before.filter((topic) => topic !== topics.manifest(fleetModel, '1.0.0')),
  )

  t.match(await retireVersion(connected, { model: 'other', version: '1.0.0' }, { reading }), {
    clearedChunks: 0,
    doubts: [/cannot be read/],
  })
  const again = await retireVersion(connected, retired, { reading })
  t.same(again.doubts, [])
  t.ok(again.clearedChunks > 0)
  t.equal((await held()).length, before.length - 2 - again.clearedChunks)
})

t.test('a version that is listed and cannot be seen is a doubt as well', async (t) => {
  const { connection, held, topics: names } = await published(t)
  const connected = { connection, topics: names }
  await publishRetained(connection, topics.manifest(fleetModel, '2.0.0'), new Uint8Array())
  const before = await held()
  const figures = await retireVersion(connected, { model: fleetModel, version: '1.0.0' }, { reading })
  t.equal(figures.clearedChunks, 0)
  t.match(figures.doubts, [/2\.0\.0 is listed and has no manifest/])
  t.equal((await held()).length, before.length - 1, 'only the manifest is gone')
})

t.test('a wish that cannot be read may be for the version: nothing is changed', async (t) => {
  const { fleet, held, connection } = await published(t)
  const connected = { connection, topics }
  const wanted = { model: fleetModel, version: '2.0.0' }
  await sendWish(connected, wishFor(wanted, { kind: 'channel', name: 'stable' }, 1), [fleet.key])
  await publishRetained(connection, topics.channelDesired('stable'), Buffer.from('rubbish'))
  const before = await held()
  await t.rejects(retireVersion(connected, wanted, { reading }), {
    code: 'bundle.version_wanted',
    message: /channel stable is told to run cannot be read/,
  })
  t.same(await held(), before)
})

t.test('over a slow line every manifest is waited for, and what others need stays', async (t) => {
  const { held, fleet, url } = await published(t)
  const manifestBytes = fleet.bundle('2.0.0')!.envelope.byteLength
  const brokerPort = Number(new URL(url).port)
  // One manifest takes about three times as long as the quiet that ends a reading.
  const proxy = await MqttProxy.start({ brokerPort, bytesPerSecond: Math.ceil(manifestBytes / 0.6) })
  t.teardown(() => proxy.stop())
  const slow = { connection: await openConnection(t, proxy.url), topics }
  const figures = await retireVersion(
    slow,
    { model: fleetModel, version: '1.0.0' },
    { reading: { quietMs: 200 } },
  )
  t.ok(figures.clearedChunks > 0)
  const after = await held()
  for (const { blob } of artefactsOf(fleet.bundle('2.0.0')!.manifest))
    for (const index of blob.chunks.keys()) t.ok(after.includes(topics.chunk(blob.sha256, index)))
})

t.test('over a line that stands still nothing is changed, and that is said', async (t) => {
  const { held, url } = await published(t)
  const before = await held()
  const proxy = await MqttProxy.start({ brokerPort: Number(new URL(url).port) })
  t.teardown(() => proxy.stop())
  const connection = await openConnection(t, proxy.url)
  const goOn = proxy.stall()
  await t.rejects(
    retireVersion(
      { connection, topics },
      { model: fleetModel, version: '1.0.0' },
      { reading: { stallMs: 300 } },
    ),
    { code: 'network.reading_unfinished', message: /nothing is changed: .*nothing came for/ },
  )
  goOn()
  t.same(await held(), before)
})
