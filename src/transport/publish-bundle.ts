/**
 * Puts a model version on the broker: chunks first, the manifest after them.
 * Invariant: whoever sees a manifest finds every chunk it names; a chunk that is there already is not sent again.
 */

import type { Clock } from '../base/clock.js'
import { systemClock } from '../base/clock.js'
import { type Blob, chunkRange } from '../protocol/blob.js'
import { artefactsOf, type Manifest } from '../protocol/manifest.js'
import type { Topics } from '../protocol/topics.js'
import { requireSent } from './blob-download.js'
import type { MqttConnection } from './mqtt-connection.js'

/** A bundle to publish. */
export interface PublishedBundle {
  readonly manifest: Manifest
  /** The signed manifest. */
  readonly envelope: Uint8Array
  readChunk(blob: Blob, start: number, sizeBytes: number): Promise<Uint8Array>
}

export interface UploadOptions {
  /** Chunks on their way at once; 16 unless given. */
  readonly inFlightMax?: number
  /** How long the broker may take to show that it holds chunks, milliseconds; 1,000 unless given. */
  readonly presenceWaitMs?: number
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void
  readonly clock?: Clock
}

/** What publishing did. */
export interface UploadFigures {
  readonly sentChunks: number
  readonly sentBytes: number
  /** Chunks that the broker had already. */
  readonly presentChunks: number
}

interface ChunkJob {
  readonly blob: Blob
  readonly index: number
  readonly topic: string
}

const presenceWindow = 64

/**
 * Publishes every missing chunk, then the manifest.
 * Throws `network.*` when the broker does not take a message; the manifest is not published then.
 */
export async function publishBundle(
  connection: MqttConnection,
  topics: Topics,
  bundle: PublishedBundle,
  options: UploadOptions = {},
): Promise<UploadFigures> {
  const blobs = new Map(artefactsOf(bundle.manifest).map(({ blob }) => [blob.sha256, blob]))
  const jobs = [...blobs.values()].flatMap((blob) =>
    blob.chunks.map((_, index): ChunkJob => ({ blob, index, topic: topics.chunk(blob.sha256, index) })),
  )
  const totalBytes = [...blobs.values()].reduce((sum, blob) => sum + blob.sizeBytes, 0)
  const present = await findPresent(connection, jobs, options)
  let sentChunks = 0
  let sentBytes = 0
  let doneBytes = 0
  const advance = (job: ChunkJob): void => {
    const { start, end } = chunkRange(job.blob, job.index)
    doneBytes += end - start
    options.onProgress?.(doneBytes, totalBytes)
  }
  await runBounded(jobs, options.inFlightMax ?? 16, async (job) => {
    if (!present.has(job.topic)) {
      const { start, end } = chunkRange(job.blob, job.index)
      const bytes = await bundle.readChunk(job.blob, start, end - start)
      requireSent(await connection.publish(job.topic, bytes, { qos: 1, retain: true }), job.topic)
      sentChunks++
      sentBytes += bytes.byteLength
    }
    advance(job)
  })
  const { model, version } = bundle.manifest
  await publishRetained(connection, topics.manifest(model, version), bundle.envelope)
  return { sentChunks, sentBytes, presentChunks: present.size }
}

/** Publishes one retained message and waits for the broker's word. Throws `network.*`. */
export async function publishRetained(
  connection: MqttConnection,
  topic: string,
  payload: Uint8Array,
): Promise<void> {
  requireSent(await connection.publish(topic, payload, { qos: 1, retain: true }), topic)
}

/** The topics of chunks that the broker holds with the right content length. */
async function findPresent(
  connection: MqttConnection,
  jobs: readonly ChunkJob[],
  options: UploadOptions,
): Promise<ReadonlySet<string>> {
  const clock = options.clock ?? systemClock
  const present = new Set<string>()
  for (let first = 0; first < jobs.length; first += presenceWindow) {
    const window = jobs.slice(first, first + presenceWindow)
    const sizes = new Map(
      window.map(({ blob, index, topic }) => {
        const { start, end } = chunkRange(blob, index)
        return [topic, end - start]
      }),
    )
    const foundBefore = present.size
    const subscription = connection.subscribe([...sizes.keys()], 0, ({ topic, payload }) => {
      if (payload.byteLength === sizes.get(topic)) present.add(topic)
    })
    await subscription.outcome
    const deadlineMs = clock.monotonicMs() + (options.presenceWaitMs ?? 1000)
    while (present.size - foundBefore < window.length && clock.monotonicMs() < deadlineMs)
      await clock.sleep(10)
    await subscription.close()
    // A broker that has nothing of a whole window has nothing of the rest: published in order, chunks end somewhere.
    if (present.size === foundBefore) break
  }
  return present
}

/** Runs `work` on every item, at most `limit` at a time; the first failure ends it. */
async function runBounded<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items.values()
  const lanes = Array.from({ length: Math.min(limit, items.length) }, async () => {
    for (const item of iterator) await work(item)
  })
  await Promise.all(lanes)
}
