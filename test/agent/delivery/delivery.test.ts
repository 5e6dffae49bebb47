import t, { type Test } from 'tap'
import { artefactsOf } from '../../../src/agent/delivery/artefacts.js'
import { manifestsOf } from '../../../src/agent/delivery/manifests.js'
import { listenToWishes } from '../../../src/agent/delivery/wishes.js'
import { systemClock } from '../../../src/base/clock.js'
import { silentLogger } from '../../../src/base/logger.js'
import { loadConfig } from '../../../src/config/load.js'
import { topicsBelow } from '../../../src/protocol/topics.js'
import { openStore } from '../../../src/store/store.js'
import { publishRetained } from '../../../src/transport/publish-retained.js'
import { bytesFrom, describeBlob } from '../../helpers/blobs.js'
import { openConnection, startBroker, startConnection, until } from '../../helpers/broker.js'

const topics = topicsBelow('yolo-edge/v2')
const chunkBytes = 1024

async function device(t: Test) {
  const broker = await startBroker(t)
  const connection = await openConnection(t, broker.url)
  const publisher = await openConnection(t, broker.url)
  const root = t.testdir()
  const store = await openStore({
    root,
    quota: { limitBytes: 1e6, reserveBytes: 0 },
    outboxLimitBytes: 1000,
  })
  const { delivery } = loadConfig({ env: {} })
  const artefacts = artefactsOf({ connection, topics, store, delivery, logger: silentLogger })
  return { broker, connection, publisher, store, artefacts }
}

t.test('fetches a blob into the store, and only what is missing', async (t) => {
  const { publisher, store, artefacts } = await device(t)
  const bytes = bytesFrom(1, 5000)
  const blob = describeBlob(bytes, chunkBytes)
  const half = await store.blobs.openPartial(blob)
  await half.writeChunk(0, bytes.subarray(0, chunkBytes))
  await half.close()
  // Chunk 0 is not on the broker: it has to come from the disk.
  for (let index = 1; index < blob.chunks.length; index++) {
    const chunk = bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes)
    await publishRetained(publisher, topics.chunk(blob.sha256, index), chunk)
  }
  const artefact = { sha256: blob.sha256, sizeBytes: blob.sizeBytes, encoding: 'none', blob }
  const seen: number[] = []
  const request = {
    artefact,
    signal: new AbortController().signal,
    onBytes: (have: number) => seen.push(have),
  }
  await artefacts.obtain(request)
  t.same(await store.blobs.read(blob.sha256), bytes)
  t.equal(seen.at(-1), 5000)
  t.ok(
    seen.every((have, index) => index === 0 || have >= seen[index - 1]!),
    'progress only rises',
  )
  await artefacts.obtain(request)
  t.equal(await artefacts.verify(blob.sha256), 'intact')
})

t.test('a manifest is waited for while offline, and missed at a broker that has none', async (t) => {
  const { broker, publisher, store } = await device(t)
  const offline = await startConnection(t, 'mqtt://127.0.0.1:1')
  const stop = new AbortController()
  const waiting = manifestsOf(offline, topics, store.manifests, systemClock).fetch('m', '1.0.0', stop.signal)
  stop.abort()
  await t.rejects(waiting, { code: 'network.request_timeout' })

  const online = await openConnection(t, broker.url)
  const manifests = manifestsOf(online, topics, store.manifests, systemClock)
  const never = new AbortController().signal
  const early = manifests.fetch('m', '1.0.0', never)
  await publishRetained(publisher, topics.manifest('m', '1.0.0'), Buffer.from('signed'))
  const bytes = await early
  t.equal(Buffer.from(bytes).toString(), 'signed')
  const kept = await manifests.write(bytes)
  t.same(await manifests.read(kept), bytes)
})

t.test('hears wishes for its channel and for itself, and that one was taken back', async (t) => {
  const { connection, publisher } = await device(t)
  const heard: [string, string | undefined][] = []
  const close = listenToWishes(connection, topics, { id: 'cam', channel: 'stable' }, (target, envelope) => {
    const wish: [string, string | undefined] = [target.kind, envelope && Buffer.from(envelope).toString()]
    // The broker may hand one over twice: as retained, and as it arrives.
    if (!heard.some((known) => known.join() === wish.join())) heard.push(wish)
  })
  await publishRetained(publisher, topics.channelDesired('stable'), Buffer.from('one'))
  await publishRetained(publisher, topics.deviceDesired('cam'), Buffer.from('two'))
  await publishRetained(publisher, topics.deviceDesired('other'), Buffer.from('three'))
  await publishRetained(publisher, topics.channelDesired('stable'), Buffer.alloc(0))
  await until(() => heard.length === 3)
  t.same(heard, [
    ['channel', 'one'],
    ['device', 'two'],
    ['channel', undefined],
  ])
  await close()
})
