import t, { type Test } from 'tap'
import type { FleetConnection } from '../../../src/cli/fleet/fleet-connection.js'
import { readRetained } from '../../../src/cli/fleet/retained.js'
import { retireVersion } from '../../../src/cli/fleet/retire.js'
import { sendWish, wishFor } from '../../../src/cli/fleet/wish.js'
import { artefactsOf } from '../../../src/protocol/manifest.js'
import { topicsBelow } from '../../../src/protocol/topics.js'
import { publishBundle } from '../../../src/transport/publish-bundle.js'
import { openConnection, startBroker } from '../../helpers/broker.js'
import { TestFleet, fleetModel } from '../../helpers/test-fleet.js'

const topics = topicsBelow('yolo-edge/v2')

interface Published extends FleetConnection {
  readonly fleet: TestFleet
  /** Topics that the broker holds. */
  readonly held: () => Promise<readonly string[]>
}

/** A broker with the versions 1.0.0 and 2.0.0, which share their golden set. */
async function published(t: Test): Promise<Published> {
  const broker = await startBroker(t)
  const connection = await openConnection(t, broker.url)
  const fleet = new TestFleet()
  for (const number of [1, 2]) {
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
      { presenceWaitMs: 50 },
    )
  }
  const chunks = [1, 2].flatMap((number) =>
    artefactsOf(fleet.bundle(`${number}.0.0`)!.manifest).flatMap(({ blob }) =>
      blob.chunks.map((_, index) => topics.chunk(blob.sha256, index)),
    ),
  )
  const filters = [...new Set([...chunks, topics.allManifests()])]
  const held = async (): Promise<readonly string[]> => [
    ...(await readRetained(connection, filters, { quietMs: 200 })).keys(),
  ]
  return { connection, topics, fleet, held }
}

t.test('a version goes with its chunks; what another version needs stays', async (t) => {
  const { fleet, held, ...connected } = await published(t)
  const before = await held()
  const progress: number[] = []
  const retired = { model: fleetModel, version: '1.0.0' }
  const figures = await retireVersion(connected, retired, (fraction) => progress.push(fraction))
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
  await t.rejects(
    retireVersion(connected, wanted, () => undefined),
    { code: 'bundle.version_wanted', message: /device pi is told to run it/ },
  )
  t.same(await held(), before)
})

t.test(
  'nothing is cleared while a manifest cannot be read, or for a version that is not there',
  async (t) => {
    const { connection, held, topics: names } = await published(t)
    const connected = { connection, topics: names }
    await t.rejects(
      retireVersion(connected, { model: fleetModel, version: '9.0.0' }, () => undefined),
      { code: 'bundle.file_missing' },
    )
    const rubbish = topics.manifest('other', '1.0.0')
    await connection.publish(rubbish, Buffer.from('rubbish'), { qos: 1, retain: true })
    const before = await held()
    await t.rejects(
      retireVersion(connected, { model: fleetModel, version: '1.0.0' }, () => undefined),
      { code: 'protocol.payload_malformed', message: /other\/1~0~0/ },
    )
    t.same(await held(), before)
  },
)
