/**
 * Takes a version off the broker.
 *
 *     manifest -> waits under `retired` -> chunks that nobody else needs are cleared -> `retired` and the listing go
 *
 * Invariant: a chunk is cleared only when every other version is known whole; on any doubt it stays, and the retiring can be
 * done once more, also after a cut: what a version had is known until its last chunk is gone.
 */

import { AgentError, isAgentError, messageOf } from '../../base/errors.js'
import type { Sha256 } from '../../base/sha256.js'
import { unverifiedPayload } from '../../protocol/envelope-form.js'
import { versionEntry, versionsPart } from '../../protocol/fleet-index.js'
import { artefactsOf, type Manifest, manifestPayloadType, parseManifest } from '../../protocol/manifest.js'
import { unverifiedTelling } from '../../protocol/release.js'
import { parseTopic } from '../../protocol/topics.js'
import { changeIndex } from '../../transport/index-record.js'
import { requireKept } from '../../transport/publish-bundle.js'
import { publishRetained } from '../../transport/publish-retained.js'
import type { ReadingOptions } from '../../transport/retained-reading.js'
import type { FleetConnection } from './fleet-connection.js'
import { readManifests } from './manifests.js'
import { readTopics } from './retained.js'
import type { ModelVersion } from './wish.js'
import { readWishes } from './wishes.js'

/** What was taken off the broker, and what stays. */
export interface RetireFigures {
  readonly clearedChunks: number
  /** Chunks that other versions use, or may use. */
  readonly keptChunks: number
  /** Why nothing was cleared although other versions may not need it; a sentence each. */
  readonly doubts: readonly string[]
}

export interface RetireOptions {
  readonly onProgress?: (fraction: number) => void
  /** How what the broker holds is read. */
  readonly reading?: ReadingOptions
}

const nothing = new Uint8Array()

/**
 * Takes the manifest of a version off the broker, and the chunks that only it has.
 * Throws `bundle.file_missing` for a version that is not there, `bundle.version_wanted` for one that somebody is told to run,
 * `network.reading_unfinished` when the broker could not be read to the proven end: nothing is changed then.
 */
export async function retireVersion(
  fleet: FleetConnection,
  wanted: ModelVersion,
  { onProgress = () => undefined, reading = {} }: RetireOptions = {},
): Promise<RetireFigures> {
  const { connection, topics } = fleet
  const { model, version } = wanted
  const own = topics.manifest(model, version)
  const waiting = topics.retired(model, version)
  const { envelopes, doubts } = await look(fleet, wanted, reading)
  const envelope = envelopes.get(own) ?? envelopes.get(waiting)
  envelopes.delete(own)
  envelopes.delete(waiting)
  if (envelope === undefined) {
    // Listed and never published, or retired already by somebody else.
    await forget(fleet, wanted)
    return { clearedChunks: 0, keptChunks: 0, doubts: [] }
  }
  const manifest = manifestIn(envelope)
  if (typeof manifest === 'string') {
    await publishRetained(connection, own, nothing)
    await forget(fleet, wanted)
    const doubt = `the manifest of ${model} ${version} cannot be read (${manifest}), so what chunks it has is not known: they stay`
    return { clearedChunks: 0, keptChunks: 0, doubts: [doubt] }
  }
  await publishRetained(connection, waiting, envelope)
  await requireKept(connection, waiting, envelope, reading)
  await publishRetained(connection, own, nothing)
  const blobs = [...new Map(blobsOf(manifest).map((blob) => [blob.sha256, blob])).values()]
  const total = blobs.reduce((sum, { chunkCount }) => sum + chunkCount, 0)
  const needed = neededBy(envelopes, fleet, doubts)
  if (doubts.length > 0) return { clearedChunks: 0, keptChunks: total, doubts }
  const single = blobs.filter(({ sha256 }) => !needed.has(sha256))
  let cleared = 0
  for (const { sha256, chunkCount } of single) {
    for (let index = 0; index < chunkCount; index++) {
      await publishRetained(connection, topics.chunk(sha256, index), nothing)
      onProgress(++cleared / total)
    }
  }
  await publishRetained(connection, waiting, nothing)
  await forget(fleet, wanted)
  return { clearedChunks: cleared, keptChunks: total - cleared, doubts: [] }
}

/** Looks at everything that retiring depends on. Throws what the broker's state or the line is in the way. */
async function look(
  fleet: FleetConnection,
  wanted: ModelVersion,
  options: ReadingOptions,
): Promise<Versions> {
  try {
    const versions = await readVersions(fleet, wanted, options)
    await requireUnwanted(fleet, wanted, options)
    return versions
  } catch (thrown) {
    if (!isAgentError(thrown, 'network.reading_unfinished')) throw thrown
    const { model, version } = wanted
    const problem = `cannot retire ${model} ${version}, nothing is changed: ${thrown.message}`
    const hint = thrown.hint === undefined ? {} : { hint: thrown.hint }
    throw new AgentError(thrown.code, problem, { cause: thrown, ...hint })
  }
}

async function forget({ connection, topics }: FleetConnection, wanted: ModelVersion): Promise<void> {
  await changeIndex(connection, topics, versionsPart, (names) => names.delete(versionEntry(wanted)))
}

interface Versions {
  /** Envelopes by their topic. */
  readonly envelopes: Map<string, Uint8Array>
  /** Versions of which it is not known what they need. */
  readonly doubts: string[]
}

/** The manifests of all versions, that of `wanted` too when it waits for its chunks to go. */
async function readVersions(
  fleet: FleetConnection,
  wanted: ModelVersion,
  options: ReadingOptions,
): Promise<Versions> {
  const { topics } = fleet
  const { envelopes, listed } = await readManifests(fleet, options)
  const isListed = listed?.some((entry) => versionEntry(entry) === versionEntry(wanted)) === true
  if (!isListed && !envelopes.has(topics.manifest(wanted.model, wanted.version)))
    throw new AgentError('bundle.file_missing', `${wanted.model} ${wanted.version} is not on the broker`)
  if (listed === undefined) {
    throw new AgentError(
      'bundle.file_missing',
      `the broker has no list of versions under ${topics.index(versionsPart)}, so what other versions need is not known`,
      { hint: 'yolo-edge publish lists a version: publish those that are in use once more' },
    )
  }
  const unseen = listed.filter(({ model, version }) => !envelopes.has(topics.manifest(model, version)))
  const retired = unseen.map(({ model, version }) => topics.retired(model, version))
  const waiting = await readTopics(fleet, retired, { quietMs: 1000, ...options })
  const own = topics.retired(wanted.model, wanted.version)
  const ownEnvelope = waiting.get(own)
  if (ownEnvelope !== undefined) envelopes.set(own, ownEnvelope)
  const absent = unseen.filter(({ model, version }) => {
    const topic = topics.retired(model, version)
    return topic !== own && !waiting.has(topic)
  })
  return {
    envelopes,
    doubts: absent.map(
      ({ model, version }) =>
        `${model} ${version} is listed and has no manifest: publish it again, or retire it first`,
    ),
  }
}

/** The blobs that the manifests name; what cannot be read is a doubt. */
function neededBy(
  envelopes: ReadonlyMap<string, Uint8Array>,
  { topics }: FleetConnection,
  doubts: string[],
): ReadonlySet<Sha256> {
  const needed = new Set<Sha256>()
  for (const [topic, bytes] of envelopes) {
    const manifest = manifestIn(bytes)
    if (typeof manifest === 'string') {
      const parsed = parseTopic(topics.root, topic)
      const name = parsed?.kind === 'manifest' ? `${parsed.model} ${parsed.version}` : topic
      doubts.push(
        `the manifest of ${name} cannot be read (${manifest}), so it may need them: publish it again, or retire it first`,
      )
    } else for (const { sha256 } of blobsOf(manifest)) needed.add(sha256)
  }
  return needed
}

interface ChunkedBlob {
  readonly sha256: Sha256
  readonly chunkCount: number
}

function blobsOf(manifest: Manifest): readonly ChunkedBlob[] {
  return artefactsOf(manifest).map(({ blob }) => ({ sha256: blob.sha256, chunkCount: blob.chunks.length }))
}

/** The manifest of an envelope, or why it cannot be read. */
function manifestIn(envelope: Uint8Array): Manifest | string {
  try {
    return parseManifest(unverifiedPayload(envelope, [manifestPayloadType]).payload)
  } catch (thrown) {
    return messageOf(thrown)
  }
}

/** Throws `bundle.version_wanted` when somebody is told to run a version, or may be: a wish that cannot be read. */
async function requireUnwanted(
  fleet: FleetConnection,
  { model, version }: ModelVersion,
  options: ReadingOptions,
): Promise<void> {
  const { topics } = fleet
  const attempt = `cannot retire ${model} ${version}`
  for (const [topic, envelope] of await readWishes(fleet, options)) {
    const parsed = parseTopic(topics.root, topic)
    const whom =
      parsed?.kind === 'channel-desired'
        ? `channel ${parsed.channel}`
        : parsed?.kind === 'device-desired'
          ? `device ${parsed.device}`
          : topic
    const wish = wishIn(envelope)
    if (typeof wish === 'string') {
      const problem = `${attempt}: what ${whom} is told to run cannot be read (${wish}), and it may be this version`
      throw new AgentError('bundle.version_wanted', problem, { hint: `Tell ${whom} anew what to run` })
    }
    if (wish?.model !== model || wish.version !== version) continue
    throw new AgentError('bundle.version_wanted', `${attempt}: ${whom} is told to run it`, {
      hint: 'yolo-edge rollout start tells a channel to run another version, yolo-edge rollback DEVICE --release --sign KEY lets a device follow its channel',
    })
  }
}

/** The version that somebody is told to run, undefined for none, or why it cannot be read. */
function wishIn(envelope: Uint8Array): ModelVersion | string | undefined {
  try {
    const telling = unverifiedTelling(envelope)
    return telling.kind === 'release' ? undefined : telling.wish
  } catch (thrown) {
    return messageOf(thrown)
  }
}
