/**
 * What channels and devices are told, as a broker holds it: what wildcards find, and what its list of wishes names.
 * Invariant: what is returned was read to its proven end.
 */

import { wishesPart, wishTargetIn } from '../../protocol/fleet-index.js'
import { readIndex } from '../../transport/index-record.js'
import { type ReadingOptions, readRetained, requireFinished } from '../../transport/retained-reading.js'
import type { FleetConnection } from './fleet-connection.js'
import { readTopics } from './retained.js'
import { desiredTopic } from './wish.js'

/** Envelopes by their topic, nothing of them believed. Throws `network.*` when the reading cannot be finished, `protocol.*`. */
export async function readWishes(
  fleet: FleetConnection,
  options: ReadingOptions = {},
): Promise<ReadonlyMap<string, Uint8Array>> {
  const { connection, topics } = fleet
  const filters = [topics.allChannelsDesired(), topics.allDevicesDesired()]
  const found = await readRetained(connection, filters, options)
  const wishes = new Map(requireFinished(found, 'the wishes were not read to the end'))
  const listed = (await readIndex(connection, topics, wishesPart, options)) ?? []
  const unseen = listed
    .map(wishTargetIn)
    .filter((target) => target !== undefined)
    .map((target) => desiredTopic(topics, target))
    .filter((topic) => !wishes.has(topic))
  for (const [topic, bytes] of await readTopics(fleet, unseen, { quietMs: 1000, ...options }))
    wishes.set(topic, bytes)
  return wishes
}
