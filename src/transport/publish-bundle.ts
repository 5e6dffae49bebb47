/**
 * Puts a model version on the broker: its name into the list of versions, then the chunks, then the manifest.
 * Invariant: whoever sees a manifest finds every chunk it names, and its name in the list; a chunk that is there already, by
 * its digest, is not sent again; what counts as published was seen on the broker.
 */

import { type Clock, systemClock } from '../base/clock.js'
import { sha256Of } from '../base/digest.js'
import { AgentError } from '../base/errors.js'
import type { Sha256 } from '../base/sha256.js'
import { type Blob, chunkRange } from '../protocol/blob.js'
import { versionEntry, versionsPart } from '../protocol/fleet-index.js'
import { artefactsOf, type Manifest } from '../protocol/manifest.js'
import type { Topics } from '../protocol/topics.js'
import { changeIndex } from './index-record.js'
import type { MqttConnection } from './mqtt-connection.js'
import { publishRetained } from './publish-retained.js'
import { type ReadingOptions, readRetained } from './retained-reading.js'

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
  /** How what the broker holds is read. */
  readonly reading?: ReadingOptions
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
  readonly sha256: Sha256
}

/** Chunks that are looked at together. */
const presenceWindow = 64
/** How often what was published is looked for before it counts as thrown away; each look takes a second of silence. */
const looksMax = 4

/**
 * Publishes every chunk that is missing or wrong, then the manifest.
 * Throws `network.*` when the broker does not take a message, or takes one and does not keep it; the manifest is not published
 * then.
 */
export async function publishBundle(
  connection: MqttConnection,
  topics: Topics,
  bundle: PublishedBundle,
  options: UploadOptions = {},
): Promise<UploadFigures> {
  const { model, version } = bundle.manifest
  const blobs = new Map(artefactsOf(bundle.manifest).map(({ blob }) => [blob.sha256, blob]))
  const jobs = [...blobs.values()].flatMap((blob) =>
    blob.chunks.map((sha256, index): ChunkJob => {
      return { blob, index, topic: topics.chunk(blob.sha256, index), sha256 }
    }),
  )
  const totalBytes = [...blobs.values()].reduce((sum, blob) => sum + blob.sizeBytes, 0)
  const entry = versionEntry({ model, version })
  const listed = { before: false }
  const list = (names: Set<string>): void => {
    listed.before = names.has(entry)
    names.add(entry)
  }
  await changeIndex(connection, topics, versionsPart, list, {
    ...options.reading,
    ...(options.clock !== undefined && { clock: options.clock }),
  })
  const { present } = await lookFor(connection, jobs, options, 'nothing-held')
  const missing = jobs.filter(({ topic }) => !present.has(topic))
  const sentBytes = missing.reduce((sum, job) => sum + sizeOf(job), 0)
  let doneBytes = totalBytes - sentBytes
  await runBounded(missing, options.inFlightMax ?? 16, async (job) => {
    const bytes = await bundle.readChunk(job.blob, chunkRange(job.blob, job.index).start, sizeOf(job))
    await publishRetained(connection, job.topic, bytes)
    doneBytes += bytes.byteLength
    options.onProgress?.(doneBytes, totalBytes)
  })
  // MQTT 3.1.1 acknowledges what access rules and size limits throw away.
  if (connection.stats().protocolVersion === 4) await requireKeptChunks(connection, missing, options)
  await publishRetained(connection, topics.manifest(model, version), bundle.envelope)
  await requireKept(connection, topics.manifest(model, version), bundle.envelope, options.reading)
  // A retiring of this version that was not finished is over.
  if (listed.before) await publishRetained(connection, topics.retired(model, version), new Uint8Array())
  return { sentChunks: missing.length, sentBytes, presentChunks: present.size }
}

/**
 * Looks whether the broker holds `payload` under `topic`. The nodes of a cluster may show a message a moment after it was
 * acknowledged, so it is looked for more than once. Throws `network.message_unkept` when it is not there, and
 * `network.reading_unfinished` when that cannot be told.
 */
export async function requireKept(
  connection: MqttConnection,
  topic: string,
  payload: Uint8Array,
  options: ReadingOptions = {},
): Promise<void> {
  const isSame = (bytes: Uint8Array | undefined): boolean =>
    bytes !== undefined && Buffer.compare(bytes, payload) === 0
  for (let look = 1; look <= looksMax; look++) {
    const { messages, unfinished } = await readRetained(connection, [topic], {
      ...options,
      isComplete: (received) => isSame(received.get(topic)),
    })
    if (isSame(messages.get(topic))) return
    if (unfinished === undefined) continue
    const problem = `cannot tell whether the broker holds what was published under ${topic}: ${unfinished}`
    throw new AgentError('network.reading_unfinished', problem)
  }
  throw unkept(`the broker acknowledged ${topic} (${countOf(payload.byteLength)} bytes)`, 'it')
}

async function requireKeptChunks(
  connection: MqttConnection,
  jobs: readonly ChunkJob[],
  options: UploadOptions,
): Promise<void> {
  let unseen = jobs
  for (let look = 1; look <= looksMax; look++) {
    const { present, unfinished } = await lookFor(connection, unseen, options, 'something-missing')
    unseen = unseen.filter(({ topic }) => !present.has(topic))
    const [first] = unseen
    if (first === undefined) return
    if (unfinished === undefined) continue
    const problem = `cannot tell whether the broker holds ${nameOf(first)}: ${unfinished}`
    throw new AgentError('network.reading_unfinished', problem)
  }
  throw unkept(`the broker acknowledged ${nameOf(unseen[0]!)}`, 'it')
}

function nameOf(job: ChunkJob): string {
  return `chunk ${job.topic} (${countOf(sizeOf(job))} bytes)`
}

function unkept(acknowledged: string, what: string): AgentError {
  return new AgentError('network.message_unkept', `${acknowledged} and does not hand ${what} out`, {
    hint: 'Let the access rules give this account read and write on the topic, as deploy/mosquitto/yolo-edge.acl does, and raise the message size limit of the broker above it: MQTT 3.1.1 has no word for either',
  })
}

const countOf = (count: number): string => count.toLocaleString('en-US')

function sizeOf({ blob, index }: ChunkJob): number {
  const { start, end } = chunkRange(blob, index)
  return end - start
}

/** Which chunks were seen on the broker. */
interface Look {
  /** Topics of those that are right, by their digest. */
  readonly present: ReadonlySet<string>
  /** Why there may be more. */
  readonly unfinished?: string
}

/**
 * Looks for chunks, window by window, until the first window of which the broker has nothing, because chunks are published in
 * order, or until the first of which one is missing. What cannot be seen counts as missing.
 */
async function lookFor(
  connection: MqttConnection,
  jobs: readonly ChunkJob[],
  options: UploadOptions,
  until: 'nothing-held' | 'something-missing',
): Promise<Look> {
  const present = new Set<string>()
  for (let first = 0; first < jobs.length; first += presenceWindow) {
    const window = jobs.slice(first, first + presenceWindow)
    const { messages, unfinished } = await readRetained(
      connection,
      window.map(({ topic }) => topic),
      {
        clock: options.clock ?? systemClock,
        ...options.reading,
        isComplete: ({ size }) => size === window.length,
      },
    )
    const right = window.filter(({ topic, sha256 }) => {
      const bytes = messages.get(topic)
      return bytes !== undefined && sha256Of(bytes) === sha256
    })
    for (const { topic } of right) present.add(topic)
    if (unfinished !== undefined) return { present, unfinished }
    const isOver = until === 'nothing-held' ? messages.size === 0 : right.length < window.length
    if (isOver) break
  }
  return { present }
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
