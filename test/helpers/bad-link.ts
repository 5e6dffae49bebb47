/**
 * A download into a real store over a bad link to a real Mosquitto, and what the link has seen of it.
 * Invariant: a chunk counts as recorded from the moment at which the store has said so.
 */

import { join } from 'node:path'
import type { Test } from 'tap'
import { cutBlob } from '../../src/protocol/cut-blob.js'
import { topicsBelow } from '../../src/protocol/topics.js'
import { openStore } from '../../src/store/store.js'
import { type ChunkSink, downloadBlob, type DownloadFigures } from '../../src/transport/blob-download.js'
import { publishRetained } from '../../src/transport/publish-retained.js'
import { bytesFrom } from './blobs.js'
import { openConnection, startConnection } from './broker.js'
import { Mosquitto } from './mosquitto.js'
import { MqttProxy } from './mqtt-proxy.js'
import { temporaryFolder } from './temporary-folder.js'

export interface BadLink {
  readonly sizeBytes: number
  readonly chunkSizeBytes: number
  /** Kills the broker with SIGKILL and starts it again, each time after so long. */
  readonly killEveryMs?: number
  readonly lostShare?: number
  readonly bytesPerSecond?: number
  /** The device's own limit. */
  readonly paceBytesPerSecond?: number
  /** The device is stopped once this share of the chunks is recorded, and begins anew with what its disk has. */
  readonly restartAt?: number
  readonly chunkTimeoutMs?: number
}

export interface BadLinkFigures extends DownloadFigures {
  readonly chunks: number
  readonly seconds: number
  readonly kills: number
  readonly reconnects: number
  readonly lostMessages: number
  /** Chunks that were asked for, or came, after they had been recorded. */
  readonly askedAgain: number
  readonly cameAgain: number
  readonly isWhole: boolean
}

const topics = topicsBelow('yolo-edge/v2')

export async function downloadOverBadLink(t: Test, link: BadLink): Promise<BadLinkFigures> {
  const folder = temporaryFolder(t, {}, ['broker', 'store'])
  const broker = await Mosquitto.start({ folder: join(folder, 'broker'), isPersistent: true })
  t.teardown(() => broker.stop())
  const bytes = bytesFrom(1, link.sizeBytes)
  const blob = cutBlob(bytes, link.chunkSizeBytes)
  const publisher = await openConnection(t, broker.url)
  await Promise.all(
    blob.chunks.map((_, index) => {
      const start = index * link.chunkSizeBytes
      const chunk = bytes.subarray(start, start + link.chunkSizeBytes)
      return publishRetained(publisher, topics.chunk(blob.sha256, index), chunk)
    }),
  )
  await publisher.stop()
  // An orderly end writes the retained messages to the disk; the kills that follow are not orderly.
  await broker.kill('SIGTERM')
  await broker.run()

  const recorded = new Set<string>()
  const again = { asked: 0, came: 0 }
  const proxy = await MqttProxy.start({
    brokerPort: broker.port,
    ...(link.lostShare !== undefined && { lostShare: link.lostShare }),
    ...(link.bytesPerSecond !== undefined && { bytesPerSecond: link.bytesPerSecond }),
    onAsked: (topic) => {
      if (recorded.has(topic)) again.asked++
    },
    onDelivered: (topic) => {
      if (recorded.has(topic)) again.came++
    },
  })
  t.teardown(() => proxy.stop())

  let kills = 0
  let killing = Promise.resolve()
  const killer =
    link.killEveryMs === undefined
      ? undefined
      : setInterval(() => {
          killing = killing.then(async () => {
            kills++
            await broker.kill('SIGKILL')
            await broker.run()
          })
        }, link.killEveryMs)
  t.teardown(() => {
    clearInterval(killer)
  })

  const startMs = performance.now()
  const figures = { fetchedChunks: 0, fetchedBytes: 0, wrongChunks: 0, repeatedRequests: 0 }
  let reconnects = 0
  let isWhole = false
  for (let isFirst = true; !isWhole; isFirst = false) {
    const store = await openStore({
      root: join(folder, 'store'),
      quota: { limitBytes: 1e9, reserveBytes: 0 },
      outboxLimitBytes: 1e6,
    })
    const partial = await store.blobs.openPartial(blob)
    const connection = await startConnection(t, proxy.url)
    const stop = new AbortController()
    const sink: ChunkSink = {
      missingChunks: () => partial.missingChunks(),
      writeChunk: async (index, chunk) => {
        const outcome = await partial.writeChunk(index, chunk)
        if (outcome === 'stored') {
          recorded.add(topics.chunk(blob.sha256, index))
          figures.fetchedChunks++
          figures.fetchedBytes += chunk.byteLength
        } else figures.wrongChunks++
        if (isFirst && recorded.size >= blob.chunks.length * (link.restartAt ?? Infinity)) stop.abort()
        return outcome
      },
    }
    const done = await downloadBlob(connection, topics, blob, sink, {
      chunkTimeoutMs: link.chunkTimeoutMs ?? 10_000,
      signal: stop.signal,
      ...(link.paceBytesPerSecond !== undefined && { bytesPerSecondMax: link.paceBytesPerSecond }),
    }).catch((thrown: unknown) => {
      if (!stop.signal.aborted) throw thrown
      return undefined
    })
    figures.repeatedRequests += done?.repeatedRequests ?? 0
    isWhole = partial.missingChunks().length === 0 && (await partial.finish()).state === 'complete'
    await partial.close()
    reconnects += connection.stats().reconnects
    await connection.stop()
    if (isWhole) isWhole = (await store.blobs.verify(blob.sha256)) === 'intact'
  }
  const seconds = (performance.now() - startMs) / 1000
  clearInterval(killer)
  await killing
  return {
    ...figures,
    chunks: blob.chunks.length,
    seconds,
    kills,
    reconnects,
    lostMessages: proxy.lost,
    askedAgain: again.asked,
    cameAgain: again.came,
    isWhole,
  }
}

/** What every download must show, however bad the link. */
export function requireWholeAndFrugal(t: Test, figures: BadLinkFigures): void {
  t.comment(JSON.stringify(figures))
  t.ok(figures.isWhole, 'the file is whole')
  t.equal(figures.askedAgain, 0, 'no recorded chunk is asked for again')
  t.equal(figures.cameAgain, 0, 'no recorded chunk comes again')
  t.equal(figures.fetchedChunks, figures.chunks, 'every chunk is stored once')
}
