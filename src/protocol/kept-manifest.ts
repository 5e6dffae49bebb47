/**
 * Manifests that were verified before they were kept, and are found by the digest of exactly those bytes.
 * Invariant: the one place where signatures are not looked at again; who takes bytes from anywhere else opens their envelope.
 */

import { openEnvelope } from './envelope.js'
import { type Manifest, manifestPayloadType, parseManifest } from './manifest.js'

/** What was signed: the payload of the envelope `bytes`. Throws `protocol.*`. */
export function keptPayload(bytes: Uint8Array): Uint8Array {
  return openEnvelope(bytes, manifestPayloadType, { keys: [], allowUnsigned: true }).payload
}

/** The manifest in the envelope `bytes`. Throws `protocol.*`. */
export function keptManifest(bytes: Uint8Array): Manifest {
  return parseManifest(keptPayload(bytes))
}
