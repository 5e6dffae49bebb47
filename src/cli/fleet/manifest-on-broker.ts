/** Whether a version is on the broker. Invariant: nobody is told to run what no device could fetch. */

import { AgentError } from '../../base/errors.js'
import type { FleetConnection } from './fleet-connection.js'
import { readRetained } from './retained.js'
import type { ModelVersion } from './wish.js'

/** Throws `bundle.file_missing` unless the broker holds the manifest of a version. */
export async function requirePublished(
  { connection, topics }: FleetConnection,
  { model, version }: ModelVersion,
): Promise<void> {
  const topic = topics.manifest(model, version)
  const found = await readRetained(connection, [topic], { quietMs: 3000, isComplete: ({ size }) => size > 0 })
  if (found.has(topic)) return
  throw new AgentError('bundle.file_missing', `${model} ${version} is not on the broker`, {
    hint: 'yolo-edge publish --no-wish puts it there and tells nobody',
  })
}
