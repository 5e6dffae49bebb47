/**
 * How fast a model comes from Mosquitto on loopback into the store, against a bare mqtt.js client that takes the same chunks and keeps none.
 * Both ask with the same window. Fails when chunks are checked and written at less than the share that is demanded; what it takes to
 * check the whole and to sync it is told as well.
 *
 *     node dist/test/bench/download.js [rounds]
 */

import { mkdtempSync, mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connectAsync, type MqttClient } from 'mqtt'
import { silentLogger } from '../../src/base/logger.js'
import type { Blob } from '../../src/protocol/blob.js'
import { cutBlob } from '../../src/protocol/cut-blob.js'
import { topicsBelow } from '../../src/protocol/topics.js'
import { openStore } from '../../src/store/store.js'
import { downloadBlob } from '../../src/transport/blob-download.js'
import { MqttConnection } from '../../src/transport/mqtt-connection.js'
import { publishRetained } from '../../src/transport/publish-retained.js'
import { bytesFrom } from '../helpers/blobs.js'
import { Mosquitto } from '../helpers/mosquitto.js'

const rounds = Number(process.argv[2] ?? 25)
const settleMs = 150
const sizeBytes = 12_800_000
const chunkSizeBytes = 61_440
const windowChunks = 32
const shareMin = 0.6

const topics = topicsBelow('yolo-edge/v2')
const folder = mkdtempSync(join(tmpdir(), 'yolo-edge-bench-'))
mkdirSync(join(folder, 'broker'))
const broker = await Mosquitto.start({ folder: join(folder, 'broker') })
const blob = cutBlob(bytesFrom(1, sizeBytes), chunkSizeBytes)

/** Takes every chunk with mqtt.js alone: subscribes in the same window, looks at lengths only. Milliseconds. */
async function bareMs(client: MqttClient, { sha256, chunks }: Blob): Promise<number> {
  const startMs = performance.now()
  let asked = 0
  let received = 0
  const ask = (): void => {
    if (asked < chunks.length) client.subscribe(topics.chunk(sha256, asked++), { qos: 1 })
  }
  await new Promise<void>((resolve) => {
    const take = (topic: string, payload: Buffer): void => {
      received += payload.byteLength
      client.unsubscribe(topic)
      ask()
      if (received < sizeBytes) return
      client.off('message', take)
      resolve()
    }
    client.on('message', take)
    for (let place = 0; place < windowChunks; place++) ask()
  })
  return performance.now() - startMs
}

interface ProductTimes {
  /** Until every chunk was checked and written. */
  readonly fetchedMs: number
  /** Until the whole was checked and is a blob that a power cut cannot take away. */
  readonly keptMs: number
}

/** The way of the product: digests, files, record, digest of the whole. */
async function productTimes(connection: MqttConnection): Promise<ProductTimes> {
  const root = join(folder, 'store')
  const quota = { limitBytes: 1e9, reserveBytes: 0 }
  const store = await openStore({ root, quota, outboxLimitBytes: 1e6 })
  const startMs = performance.now()
  const partial = await store.blobs.openPartial(blob)
  await downloadBlob(connection, topics, blob, partial, { windowChunks })
  const fetchedMs = performance.now() - startMs
  const { state } = await partial.finish()
  await partial.close()
  const keptMs = performance.now() - startMs
  if (state !== 'complete') throw new TypeError(`the download is ${state}`)
  rmSync(root, { recursive: true })
  return { fetchedMs, keptMs }
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
const megabytes = (tookMs: number): string => (sizeBytes / 1000 / tookMs).toFixed(1)

const ports = { logger: silentLogger }
const publisher = new MqttConnection({ url: broker.url, clientId: 'publisher' }, ports)
const device = new MqttConnection({ url: broker.url, clientId: 'device' }, ports)
try {
  for (const connection of [publisher, device]) {
    await connection.start()
    await connection.requireOnline(10_000)
  }
  const bytes = bytesFrom(1, sizeBytes)
  for (const index of blob.chunks.keys()) {
    const start = index * chunkSizeBytes
    const chunk = bytes.subarray(start, start + chunkSizeBytes)
    await publishRetained(publisher, topics.chunk(blob.sha256, index), chunk)
  }
  const client = await connectAsync(broker.url, { protocolVersion: 5 })
  client.setMaxListeners(0)
  const bare: number[] = []
  const product: ProductTimes[] = []
  for (let round = 0; round <= rounds; round++) {
    // Each begins when the broker has done what the other left behind, such as the last acknowledgements.
    await delay(settleMs)
    const bareTookMs = await bareMs(client, blob)
    await delay(settleMs)
    const pair = [bareTookMs, await productTimes(device)] as const
    // The first round warms both up.
    if (round === 0) continue
    bare.push(pair[0])
    product.push(pair[1])
  }
  await client.endAsync()
  const share = median(bare.map((tookMs, round) => tookMs / product[round]!.fetchedMs))
  console.log(
    `${rounds} rounds in turns, ${(sizeBytes / 1e6).toFixed(1)} MB in ${blob.chunks.length} chunks, window ${windowChunks}; medians:`,
  )
  const fetched = product.map(({ fetchedMs }) => fetchedMs)
  const kept = product.map(({ keptMs }) => keptMs)
  console.log(`mqtt.js alone               ${megabytes(median(bare)).padStart(6)} MB/s`)
  console.log(`checked and written         ${megabytes(median(fetched)).padStart(6)} MB/s`)
  console.log(`the whole checked, synced   ${megabytes(median(kept)).padStart(6)} MB/s`)
  console.log(`ratio of each round         ${share.toFixed(2).padStart(6)}   (demanded: ${shareMin})`)
  if (share < shareMin) process.exitCode = 1
} finally {
  for (const connection of [device, publisher]) await connection.stop()
  await broker.stop()
  rmSync(folder, { recursive: true })
}
