/**
 * Takes a version off the broker.
 * Invariant: a chunk that another version needs stays; the manifest goes first, so that whoever sees one finds its chunks.
 */

import { AgentError, messageOf } from '../../base/errors.js'
import type { Sha256 } from '../../base/sha256.js'
import { unverifiedPayload } from '../../protocol/envelope-form.js'
import { artefactsOf, type Manifest, manifestPayloadType, parseManifest } from '../../protocol/manifest.js'
import { unverifiedTelling } from '../../protocol/release.js'
import { publishRetained } from '../../transport/publish-bundle.js'
import type { FleetConnection } from './fleet-connection.js'
import { readRetained } from './retained.js'
import type { ModelVersion } from './wish.js'

/** What was taken off the broker, and what other versions go on using. */
export interface RetireFigures {
  readonly clearedChunks: number
  readonly keptChunks: number
}

const nothing = new Uint8Array()

/**
 * Clears the manifest of a version and the chunks that only it has.
 * Throws `bundle.file_missing` for a version that is not there, `bundle.version_wanted` for one that somebody is told to
 * run, `protocol.*` where another manifest cannot be read: its chunks are not known then.
 */
export async function retireVersion(
  fleet: FleetConnection,
  wanted: ModelVersion,
  onProgress: (fraction: number) => void,
): Promise<RetireFigures> {
  const { connection, topics } = fleet
  const { model, version } = wanted
  const own = topics.manifest(model, version)
  const envelopes = await readRetained(connection, [topics.allManifests()])
  const manifests = new Map([...envelopes].map(([topic, bytes]) => [topic, manifestIn(topic, bytes)]))
  const manifest = manifests.get(own)
  if (manifest === undefined)
    throw new AgentError('bundle.file_missing', `${model} ${version} is not on the broker`)
  await requireUnwanted(fleet, wanted)
  manifests.delete(own)
  const shared = new Set([...manifests.values()].flatMap(blobsOf).map(({ sha256 }) => sha256))
  const blobs = new Map(blobsOf(manifest).map((blob) => [blob.sha256, blob]))
  await publishRetained(connection, own, nothing)
  const total = [...blobs.values()].reduce((sum, { chunkCount }) => sum + chunkCount, 0)
  let [cleared, kept] = [0, 0]
  for (const { sha256, chunkCount } of blobs.values()) {
    if (shared.has(sha256)) {
      kept += chunkCount
      continue
    }
    for (let index = 0; index < chunkCount; index++) {
      await publishRetained(connection, topics.chunk(sha256, index), nothing)
      onProgress(++cleared / total)
    }
  }
  return { clearedChunks: cleared, keptChunks: kept }
}

interface ChunkedBlob {
  readonly sha256: Sha256
  readonly chunkCount: number
}

function blobsOf(manifest: Manifest): readonly ChunkedBlob[] {
  return artefactsOf(manifest).map(({ blob }) => ({ sha256: blob.sha256, chunkCount: blob.chunks.length }))
}

function manifestIn(topic: string, envelope: Uint8Array): Manifest {
  try {
    return parseManifest(unverifiedPayload(envelope, [manifestPayloadType]).payload)
  } catch (thrown) {
    const problem = `the manifest under ${topic} cannot be read, so what it needs is not known: ${messageOf(thrown)}`
    throw new AgentError('protocol.payload_malformed', problem, { cause: thrown })
  }
}

async function requireUnwanted(
  { connection, topics }: FleetConnection,
  { model, version }: ModelVersion,
): Promise<void> {
  const filters = [topics.allChannelsDesired(), topics.allDevicesDesired()]
  for (const [topic, envelope] of await readRetained(connection, filters)) {
    const telling = unverifiedTelling(envelope)
    if (telling.kind === 'release') continue
    const { target, ...wish } = telling.wish
    if (wish.model !== model || wish.version !== version) continue
    const problem = `cannot retire ${model} ${version}: ${target.kind} ${target.name} is told to run it (${topic})`
    throw new AgentError('bundle.version_wanted', problem, {
      hint: 'yolo-edge rollout start tells a channel to run another version, yolo-edge rollback DEVICE --release --sign KEY lets a device follow its channel',
    })
  }
}
