/**
 * Signatures on what a broker holds: a second one while keys are changed, and fewer once they are.
 * Invariant: a payload is never changed, so devices take it for what it was; nothing is signed that the key which vouches for it
 * has not signed before.
 */

import { desiredPayloadType } from '../../protocol/desired.js'
import { addSignature, dropSignature, openEnvelope } from '../../protocol/envelope.js'
import { type SigningKey, type TrustedKey, trustedKeyOf } from '../../protocol/keys.js'
import { manifestPayloadType } from '../../protocol/manifest.js'
import { releasePayloadType } from '../../protocol/release.js'
import { publishRetained } from '../../transport/publish-retained.js'
import type { FleetConnection } from './fleet-connection.js'
import { readManifests } from './manifests.js'
import { readWishes } from './wishes.js'

/** Everything that is signed. */
const signedTypes = [manifestPayloadType, desiredPayloadType, releasePayloadType]

/** What was done to the messages of a broker, by topic. */
export interface SignatureFigures {
  readonly changed: readonly string[]
  /** Signed as they should be already. */
  readonly right: readonly string[]
  /** Left alone: the key that vouches has not signed them. */
  readonly foreign: readonly string[]
}

/** Signs with `by` what `old` has signed: manifests, wishes and releases. Throws `network.*`. */
export async function countersign(
  fleet: FleetConnection,
  old: SigningKey,
  by: SigningKey,
): Promise<SignatureFigures> {
  return changeSignatures(fleet, (envelope) => {
    if (!isSignedBy(envelope, trustedKeyOf(old))) return 'foreign'
    return isSignedBy(envelope, trustedKeyOf(by)) ? 'right' : addSignature(envelope, by)
  })
}

/** Takes the signatures of `revoked` off what `by` has signed too; what only `revoked` signed is left for a person. */
export async function dropSignatures(
  fleet: FleetConnection,
  revoked: TrustedKey,
  by: SigningKey,
): Promise<SignatureFigures> {
  return changeSignatures(fleet, (envelope) => {
    if (!isSignedBy(envelope, revoked)) return 'right'
    return isSignedBy(envelope, trustedKeyOf(by)) ? dropSignature(envelope, revoked.keyId) : 'foreign'
  })
}

async function changeSignatures(
  fleet: FleetConnection,
  change: (envelope: Uint8Array) => Uint8Array | 'right' | 'foreign',
): Promise<SignatureFigures> {
  const figures: Record<keyof SignatureFigures, string[]> = { changed: [], right: [], foreign: [] }
  const { envelopes } = await readManifests(fleet)
  for (const [topic, envelope] of [...envelopes, ...(await readWishes(fleet))]) {
    const changed = change(envelope)
    if (typeof changed === 'string') {
      figures[changed].push(topic)
      continue
    }
    await publishRetained(fleet.connection, topic, changed)
    figures.changed.push(topic)
  }
  return figures
}

function isSignedBy(envelope: Uint8Array, key: TrustedKey): boolean {
  try {
    return openEnvelope(envelope, signedTypes, { keys: [key] }).signedBy.includes(key.keyId)
  } catch {
    // Not signed by it, or no envelope at all: in both cases nothing that this key vouches for.
    return false
  }
}
