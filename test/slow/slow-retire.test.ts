/** `publish --retire` over lines on which one manifest takes seconds: what another version needs stays, whatever the line does. */

import t, { type Test } from 'tap'
import { cutBlob } from '../../src/protocol/cut-blob.js'
import type { Blob } from '../../src/protocol/blob.js'
import { sealEnvelope } from '../../src/protocol/envelope.js'
import { encodeManifest, type Manifest, manifestPayloadType } from '../../src/protocol/manifest.js'
import { topicsBelow } from '../../src/protocol/topics.js'
import { publishBundle } from '../../src/transport/publish-bundle.js'
import type { MqttConnection } from '../../src/transport/mqtt-connection.js'
import { readRetained } from '../../src/transport/retained-reading.js'
import { bytesFrom } from '../helpers/blobs.js'
import { openConnection } from '../helpers/broker.js'
import { Mosquitto, skipWithoutMosquitto } from '../helpers/mosquitto.js'
import { MqttProxy } from '../helpers/mqtt-proxy.js'
import { runCommand, startCommand } from '../helpers/processes.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'
import { exampleVariant, fleetModel, TestFleet } from '../helpers/test-fleet.js'

const topics = topicsBelow('yolo-edge/v2')
const options = { skip: skipWithoutMosquitto(), timeout: 600_000 }
t.setTimeout(1_800_000)

const sharedChunks = 34
const ownChunks = 5
const manifestBytes = 18_000

interface Stage {
  readonly connection: MqttConnection
  readonly port: number
  /** Chunks that only 1.0.0 has, and those that 2.0.0 needs. */
  readonly held: () => Promise<{ readonly own: number; readonly shared: number }>
}

const chunksOf = ({ sha256, chunks }: Blob): readonly string[] =>
  chunks.map((_, index) => topics.chunk(sha256, index))

/** Two versions with manifests of about 18 kB that share a file of 34 chunks; 1.0.0 has another file of its own. */
async function stage(t: Test): Promise<Stage> {
  const broker = await Mosquitto.start({ folder: temporaryFolder(t, {}) })
  t.teardown(() => broker.stop())
  const connection = await openConnection(t, broker.url)
  const fleet = new TestFleet()
  const files = [bytesFrom(1, sharedChunks * 1024), bytesFrom(2, ownChunks * 1024)]
  const blobs = files.map((bytes) => cutBlob(bytes, 1024))
  const variants = blobs.map((blob, index) =>
    exampleVariant(`v${index}`, { sha256: blob.sha256, sizeBytes: blob.sizeBytes, encoding: 'none', blob }),
  )
  const [shared, own] = blobs.map(chunksOf)
  for (const number of [1, 2]) {
    const manifest: Manifest = {
      ...fleet.publish(number).manifest,
      classNames: Array.from(
        { length: manifestBytes / 40 },
        (_, index) => `part number ${index} on the conveyor`,
      ),
      variants: number === 1 ? variants : variants.slice(0, 1),
    }
    delete (manifest as { golden?: unknown }).golden
    const envelope = sealEnvelope(manifestPayloadType, encodeManifest(manifest), [fleet.key])
    await publishBundle(
      connection,
      topics,
      {
        manifest,
        envelope,
        readChunk: (blob, start, size) =>
          Promise.resolve(files[blob.sha256 === blobs[0]!.sha256 ? 0 : 1]!.subarray(start, start + size)),
      },
      { reading: { quietMs: 100 } },
    )
  }
  const count = async (wanted: readonly string[]): Promise<number> =>
    (await readRetained(connection, wanted, { isComplete: ({ size }) => size === wanted.length })).messages
      .size
  return {
    connection,
    port: broker.port,
    held: async () => ({ own: await count(own!), shared: await count(shared!) }),
  }
}

const retire = (url: string): readonly string[] => [
  ...['publish', '--retire', '--name', fleetModel, '--model-version', '1.0.0', '--broker', url],
]

t.test('over 12 kB a second the 34 chunks that another version needs stay', options, async (t) => {
  const { port, held } = await stage(t)
  const proxy = await MqttProxy.start({ brokerPort: port, bytesPerSecond: 12_000 })
  t.teardown(() => proxy.stop())
  const { status, stderr } = await runCommand(t, retire(proxy.url))
  t.equal(status, 0, stderr)
  t.same(await held(), { own: 0, shared: sharedChunks })
})

t.test('over 1 kB a second nothing is deleted on doubt', options, async (t) => {
  const { port, held } = await stage(t)
  const proxy = await MqttProxy.start({ brokerPort: port, bytesPerSecond: 1000 })
  t.teardown(() => proxy.stop())
  const { status, stderr } = await runCommand(t, retire(proxy.url))
  const { own, shared } = await held()
  t.equal(shared, sharedChunks)
  if (status === 0) t.equal(own, 0, 'all was read: only its own chunks went')
  else {
    t.equal(own, ownChunks)
    t.match(stderr, /network\.reading_unfinished: .*nothing is changed/)
  }
})

for (const [name, stallMs] of Object.entries({
  'of 30 s': 30_000,
  'without an end': Number.POSITIVE_INFINITY,
}))
  t.test(
    `over a line with a stall ${name} nothing is deleted on doubt, and that is said`,
    options,
    async (t) => {
      const { port, held } = await stage(t)
      const proxy = await MqttProxy.start({ brokerPort: port, bytesPerSecond: 12_000 })
      t.teardown(() => proxy.stop())
      const command = startCommand(t, retire(proxy.url))
      while (proxy.delivered < 1) await new Promise((resolve) => setTimeout(resolve, 10))
      const goOn = proxy.stall()
      if (Number.isFinite(stallMs)) setTimeout(goOn, stallMs)
      const status = await command.ended
      const { own, shared } = await held()
      t.equal(shared, sharedChunks)
      t.comment(`exit ${status}: ${command.stderr().trim()}`)
      if (status === 0) t.equal(own, 0, 'all was read: only its own chunks went')
      else {
        t.equal(own, ownChunks, 'nothing went')
        t.match(command.stderr(), /network\.\w+: cannot retire shelf 1\.0\.0, nothing is changed/)
      }
      t.equal(status === 0, Number.isFinite(stallMs), 'only a stall that ends lets it be done')
    },
  )
