/**
 * The manifests that a broker holds: those that wildcards find, and those that its list of versions names.
 * Invariant: what is returned was read to its proven end.
 */

import { type ModelVersionEntry, versionIn, versionsPart } from '../../protocol/fleet-index.js'
import { readIndex } from '../../transport/index-record.js'
import { type ReadingOptions, readRetained, requireFinished } from '../../transport/retained-reading.js'
import type { FleetConnection } from './fleet-connection.js'
import { readTopics } from './retained.js'

/** Manifests as the broker holds them, nothing of them believed. */
export interface HeldManifests {
  /** Envelopes by their topic. */
  readonly envelopes: Map<string, Uint8Array>
  /** The versions that are listed; undefined where the broker has no list. */
  readonly listed: readonly ModelVersionEntry[] | undefined
}

export interface ManifestsOptions extends ReadingOptions {
  /** Of this model alone. */
  readonly model?: string
}

/** Reads all manifests. Throws `network.*` when that cannot be finished, `protocol.*` for a list that cannot be read. */
export async function readManifests(
  fleet: FleetConnection,
  { model, ...reading }: ManifestsOptions = {},
): Promise<HeldManifests> {
  const { connection, topics } = fleet
  const names = await readIndex(connection, topics, versionsPart, reading)
  const listed = names
    ?.map(versionIn)
    .filter((entry) => entry !== undefined)
    .filter((entry) => model === undefined || entry.model === model)
  const filter = model === undefined ? topics.allManifests() : topics.manifestsOf(model)
  const found = await readRetained(connection, [filter], reading)
  const envelopes = new Map(requireFinished(found, 'the manifests were not read to the end'))
  const unseen = (listed ?? [])
    .map((entry) => topics.manifest(entry.model, entry.version))
    .filter((topic) => !envelopes.has(topic))
  for (const [topic, bytes] of await readTopics(fleet, unseen, { quietMs: 1000, ...reading }))
    envelopes.set(topic, bytes)
  return { envelopes, listed }
}
