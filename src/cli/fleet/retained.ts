/**
 * What a fleet's broker holds, for commands that look.
 * Invariant: "there is none" is said only at the proven end of a reading.
 */

import { type ReadingOptions, readRetained, requireFinished } from '../../transport/retained-reading.js'
import type { FleetConnection } from './fleet-connection.js'

/** Nodes of a cluster show a message that another one took a little later. */
const clusterMs = 3000

/** The messages under `topics`, which hold no wildcards, by topic. Throws `network.*` when it cannot be told. */
export async function readTopics(
  { connection }: FleetConnection,
  topics: readonly string[],
  options: ReadingOptions = {},
): Promise<ReadonlyMap<string, Uint8Array>> {
  if (topics.length === 0) return new Map()
  const reading = await readRetained(connection, topics, {
    quietMs: clusterMs,
    ...options,
    isComplete: ({ size }) => size === topics.length,
  })
  return requireFinished(reading, `cannot read ${shown(topics)}`)
}

/** The message under one topic; undefined where the broker has none. Throws `network.*` when it cannot be told. */
export async function readTopic(
  fleet: FleetConnection,
  topic: string,
  options: ReadingOptions = {},
): Promise<Uint8Array | undefined> {
  return (await readTopics(fleet, [topic], options)).get(topic)
}

function shown(topics: readonly string[]): string {
  const [first = ''] = topics
  return topics.length === 1 ? first : `${first} and ${topics.length - 1} more`
}
