/**
 * The manifests that a broker holds.
 * Invariant: nobody is told to run what no device could fetch; a new version is never older than those before it, whatever the
 * clock of this machine says.
 */

import { AgentError } from '../../base/errors.js'
import { unverifiedPayload } from '../../protocol/envelope-form.js'
import { openEnvelope } from '../../protocol/envelope.js'
import { type SigningKey, trustedKeyOf } from '../../protocol/keys.js'
import { manifestPayloadType, parseManifest } from '../../protocol/manifest.js'
import type { FleetConnection } from './fleet-connection.js'
import { readManifests } from './manifests.js'
import { readTopic } from './retained.js'
import { type ModelVersion, unsignedSequenceMax } from './wish.js'

/** Throws `bundle.file_missing` unless the broker holds the manifest of a version. */
export async function requirePublished(
  fleet: FleetConnection,
  { model, version }: ModelVersion,
): Promise<void> {
  if ((await readTopic(fleet, fleet.topics.manifest(model, version))) !== undefined) return
  throw new AgentError('bundle.file_missing', `${model} ${version} is not on the broker`, {
    hint: 'yolo-edge publish --no-wish puts it there and tells nobody',
  })
}

/**
 * The sequence of the next version of `model`: seconds of the time `nowMs`, or one more than the highest that the broker holds.
 * Of manifests that none of `keys` signed, those count whose sequence a clock could give.
 */
export async function nextManifestSequence(
  fleet: FleetConnection,
  model: string,
  keys: readonly SigningKey[],
  nowMs: number,
): Promise<number> {
  const { envelopes } = await readManifests(fleet, { model })
  const highest = Math.max(0, ...[...envelopes.values()].map((envelope) => sequenceIn(envelope, keys)))
  return Math.max(Math.floor(nowMs / 1000), highest + 1)
}

/** The sequence of a manifest; 0 for one that cannot be read, or whose sequence is not believed. */
function sequenceIn(envelope: Uint8Array, keys: readonly SigningKey[]): number {
  try {
    const { sequence } = parseManifest(unverifiedPayload(envelope, [manifestPayloadType]).payload)
    return sequence <= unsignedSequenceMax / 1000 || isSigned(envelope, keys) ? sequence : 0
  } catch {
    // No device takes it either.
    return 0
  }
}

function isSigned(envelope: Uint8Array, keys: readonly SigningKey[]): boolean {
  try {
    openEnvelope(envelope, manifestPayloadType, { keys: keys.map(trustedKeyOf) })
    return true
  } catch {
    return false
  }
}
