import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { sha256Of } from '../../src/base/digest.js'
import type { Blob } from '../../src/protocol/blob.js'
import { cutBlob } from '../../src/protocol/cut-blob.js'
import type { Manifest } from '../../src/protocol/manifest.js'
import { topicsBelow } from '../../src/protocol/topics.js'
import { type ChunkSink, downloadBlob } from '../../src/transport/blob-download.js'
import type { MqttConnection } from '../../src/transport/mqtt-connection.js'
import { publishBundle } from '../../src/transport/publish-bundle.js'
import { publishRetained } from '../../src/transport/publish-retained.js'
import { openConnection, startBroker } from '../helpers/broker.js'
import { Mosquitto, skipWithoutMosquitto } from '../helpers/mosquitto.js'

const topics = topicsBelow('yolo-edge/v2')

/** Keeps chunks in memory and checks them as a device does. */
class MemorySink implements ChunkSink {
  readonly chunks = new Map<number, Uint8Array>()
  readonly #blob: Blob

  constructor(blob: Blob) {
    this.#blob = blob
  }

  missingChunks(): readonly number[] {
    return this.#blob.chunks.map((_, index) => index).filter((index) => !this.chunks.has(index))
  }

  writeChunk(index: number, bytes: Uint8Array): Promise<'stored' | 'mismatch'> {
    if (sha256Of(bytes) !== this.#blob.chunks[index]) return Promise.resolve('mismatch')
    this.chunks.set(index, bytes)
    return Promise.resolve('stored')
  }

  get digest(): string {
    const ordered = [...this.chunks].sort((a, b) => a[0] - b[0]).map(([, bytes]) => bytes)
    return sha256Of(Buffer.concat(ordered))
  }
}

function bundleOf(bytes: Uint8Array, chunkSizeBytes: number): Parameters<typeof publishBundle>[2] {
  const blob = cutBlob(bytes, chunkSizeBytes)
  const artefact = { sha256: blob.sha256, sizeBytes: blob.sizeBytes, encoding: 'none', blob }
  const manifest: Manifest = {
    model: 'yolov8n',
    version: '1.0.0',
    sequence: 1,
    createdAt: '2026-01-01T00:00:00.000Z',
    task: 'detect',
    classNames: ['thing'],
    input: { width: 64, height: 64 },
    variants: [
      {
        id: 'fp32',
        kind: 'onnx',
        artefact,
        precision: 'fp32',
        form: 'export',
        macs: 1,
        parameters: 1,
        providers: [],
        cpuNeeds: [],
        cpuPrefers: [],
      },
    ],
    source: { sha256: blob.sha256, toolVersion: '0' },
  }
  return {
    manifest,
    envelope: Buffer.from('signed elsewhere'),
    readChunk: (_, start, sizeBytes) => Promise.resolve(bytes.subarray(start, start + sizeBytes)),
  }
}

async function roundTrip(t: Test, connection: MqttConnection): Promise<void> {
  const bytes = randomBytes(300_001)
  const bundle = bundleOf(bytes, 4096)
  const blob = bundle.manifest.variants[0]!.artefact.blob
  t.match(await publishBundle(connection, topics, bundle, { reading: { quietMs: 200 } }), {
    sentChunks: 74,
    sentBytes: 300_001,
  })
  t.match(
    await publishBundle(connection, topics, bundle),
    { sentChunks: 0, presentChunks: 74 },
    'nothing is sent twice',
  )
  const sink = new MemorySink(blob)
  const progress: number[] = []
  const figures = await downloadBlob(connection, topics, blob, sink, {
    windowChunks: 8,
    onProgress: (done) => progress.push(done),
  })
  t.match(figures, { fetchedChunks: 74, fetchedBytes: 300_001, wrongChunks: 0, repeatedRequests: 0 })
  t.equal(sink.digest, blob.sha256)
  t.equal(progress.at(-1), 300_001)
  t.match(
    await downloadBlob(connection, topics, blob, sink),
    { fetchedChunks: 0 },
    'nothing is fetched twice',
  )
}

t.test('a published blob comes back, through the embedded broker', async (t) => {
  const broker = await startBroker(t)
  await roundTrip(t, await openConnection(t, broker.url))
})

for (const protocol of [5, 4] as const) {
  t.test(`the same through Mosquitto, version ${protocol}`, { skip: skipWithoutMosquitto() }, async (t) => {
    const broker = await Mosquitto.start({ folder: t.testdir() })
    t.teardown(() => broker.stop())
    await roundTrip(t, await openConnection(t, broker.url, { protocol }))
  })
}

t.test('a wrong chunk is not taken; once it is right the download completes', async (t) => {
  const broker = await startBroker(t)
  const connection = await openConnection(t, broker.url)
  const bytes = randomBytes(20_000)
  const bundle = bundleOf(bytes, 4096)
  const blob = bundle.manifest.variants[0]!.artefact.blob
  await publishBundle(connection, topics, bundle, { reading: { quietMs: 50 } })
  await publishRetained(connection, topics.chunk(blob.sha256, 2), randomBytes(4096))
  const sink = new MemorySink(blob)
  const done = downloadBlob(connection, topics, blob, sink, { chunkTimeoutMs: 200, attemptsMax: 50 })
  while (sink.missingChunks().length > 1) await new Promise((resolve) => setTimeout(resolve, 10))
  t.same(sink.missingChunks(), [2])
  await publishRetained(connection, topics.chunk(blob.sha256, 2), bytes.subarray(8192, 12_288))
  t.match(await done, { fetchedChunks: 5 })
  t.equal(sink.digest, blob.sha256)
})

t.test('a chunk that the broker lacks is named after the last attempt', async (t) => {
  const broker = await startBroker(t)
  const connection = await openConnection(t, broker.url)
  const blob = cutBlob(randomBytes(5000), 4096)
  const attempt = downloadBlob(connection, topics, blob, new MemorySink(blob), {
    chunkTimeoutMs: 30,
    attemptsMax: 2,
  })
  await t.rejects(attempt, { code: 'network.chunk_missing', message: /asked 2 times/ })
})

t.test('a download that is given up ends at once', async (t) => {
  const broker = await startBroker(t)
  const connection = await openConnection(t, broker.url)
  const blob = cutBlob(randomBytes(5000), 4096)
  const abort = new AbortController()
  const attempt = downloadBlob(connection, topics, blob, new MemorySink(blob), { signal: abort.signal })
  abort.abort()
  await t.rejects(attempt, { code: 'network.request_timeout' })
})

t.test('the pace is kept', async (t) => {
  const broker = await startBroker(t)
  const connection = await openConnection(t, broker.url)
  const bundle = bundleOf(randomBytes(40_960), 4096)
  const blob = bundle.manifest.variants[0]!.artefact.blob
  await publishBundle(connection, topics, bundle, { reading: { quietMs: 50 } })
  const before = performance.now()
  await downloadBlob(connection, topics, blob, new MemorySink(blob), { bytesPerSecondMax: 80_000 })
  t.ok(performance.now() - before > 350, 'ten chunks at twenty a second take about half a second')
})

t.test('a version that is retired while it is downloaded is told as that, at once', async (t) => {
  const broker = await startBroker(t)
  const connection = await openConnection(t, broker.url)
  const bundle = bundleOf(randomBytes(40_960), 4096)
  const blob = bundle.manifest.variants[0]!.artefact.blob
  await publishBundle(connection, topics, bundle, { reading: { quietMs: 50 } })
  const sink = new MemorySink(blob)
  const lost = topics.chunk(blob.sha256, 9)
  await publishRetained(connection, lost, randomBytes(4096))
  const done = downloadBlob(connection, topics, blob, sink)
  const refused = t.rejects(done, { code: 'network.chunk_missing', message: /chunk 9 .* was retired/ })
  while (sink.missingChunks().length > 1) await new Promise((resolve) => setTimeout(resolve, 10))
  await connection.publish(lost, '', { qos: 1, retain: true })
  await refused
  t.equal(sink.chunks.size, 9, 'what came stays')
})
