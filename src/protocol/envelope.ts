/**
 * Signed payloads: DSSE envelopes (https://github.com/secure-systems-lab/dsse, v1.0.2) with Ed25519.
 * Invariant: the payload leaves this file only after enough trusted keys have been found under it, or when the caller
 * says in so many words that unsigned payloads are allowed.
 */

import { sign, verify } from 'node:crypto'
import type { Sha256 } from '../base/sha256.js'
import { AgentError } from '../base/errors.js'
import { type Envelope, parseEnvelope, type Payload, requireEnvelopeSize } from './envelope-form.js'
import type { SigningKey, TrustedKey } from './keys.js'
import { quote } from './names.js'

const signatureBytes = 64

/** What is believed, and under which conditions. */
export interface TrustPolicy {
  readonly keys: readonly TrustedKey[]
  /** How many different trusted keys must have signed; 1 unless given. */
  readonly threshold?: number
  /** Accepts a payload whatever its signatures are worth. Off unless given. */
  readonly allowUnsigned?: boolean
}

/** An opened envelope. */
export interface OpenedEnvelope extends Payload {
  /** The trusted keys under the payload; fewer than the threshold only where unsigned payloads are allowed. */
  readonly signedBy: readonly Sha256[]
}

/** Pre-authentication encoding: what is signed instead of the bare payload. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const type = Buffer.from(payloadType)
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${type.length} `),
    type,
    Buffer.from(` ${payload.byteLength} `),
    payload,
  ])
}

/** Signs `payload` with each of `keys`; no key makes an unsigned envelope. Throws `protocol.payload_oversized`. */
export function sealEnvelope(
  payloadType: string,
  payload: Uint8Array,
  keys: readonly SigningKey[],
): Uint8Array {
  const message = preAuthEncoding(payloadType, payload)
  const signatures = keys.map(({ keyId, privateKey }) => ({
    keyid: keyId,
    sig: sign(undefined, message, privateKey).toString('base64'),
  }))
  const bytes = Buffer.from(
    JSON.stringify({ payload: Buffer.from(payload).toString('base64'), payloadType, signatures }),
  )
  requireEnvelopeSize(bytes, [payloadType])
  return bytes
}

/** The envelope with one signature more: that of `key`, under the same payload. Throws `protocol.*`. */
export function addSignature(bytes: Uint8Array, key: SigningKey): Uint8Array {
  const envelope = parseEnvelope(bytes)
  const message = preAuthEncoding(envelope.payloadType, Buffer.from(envelope.payload, 'base64'))
  const sig = sign(undefined, message, key.privateKey).toString('base64')
  return written({ ...envelope, signatures: [...envelope.signatures, { keyid: key.keyId, sig }] })
}

/** The envelope without the signatures of the key `keyId`. Throws `protocol.*`. */
export function dropSignature(bytes: Uint8Array, keyId: Sha256): Uint8Array {
  const envelope = parseEnvelope(bytes)
  return written({ ...envelope, signatures: envelope.signatures.filter(({ keyid }) => keyid !== keyId) })
}

function written(envelope: Envelope): Uint8Array {
  const bytes = Buffer.from(JSON.stringify(envelope))
  requireEnvelopeSize(bytes, [envelope.payloadType])
  return bytes
}

/** The trusted keys with a right signature. A signature that claims a trusted key but is wrong ends the matter. */
function findSigners(envelope: Envelope, message: Buffer, keys: readonly TrustedKey[]): Set<Sha256> {
  const signers = new Set<Sha256>()
  for (const { keyid, sig } of envelope.signatures) {
    const signature = Buffer.from(sig, 'base64')
    const claimed = keys.filter((key) => keyid === '' || key.keyId === keyid)
    const signer =
      signature.length === signatureBytes
        ? claimed.find(({ publicKey }) => verify(undefined, message, publicKey, signature))
        : undefined
    if (signer !== undefined) signers.add(signer.keyId)
    else if (keyid !== '' && claimed.length > 0) {
      throw new AgentError(
        'trust.signature_invalid',
        `cannot accept the envelope: the signature of key ${keyid.slice(0, 16)} does not fit its payload`,
      )
    }
  }
  return signers
}

function refuse(envelope: Envelope, signerCount: number, threshold: number): AgentError {
  if (envelope.signatures.length === 0) {
    return new AgentError(
      'trust.unsigned_refused',
      'cannot accept the envelope: it has no signature, expected one',
      {
        hint: 'Sign it with a key that the device trusts, or set security.allow_unsigned on a device for trials',
      },
    )
  }
  if (signerCount > 0) {
    const problem = `cannot accept the envelope: ${signerCount} trusted keys have signed it, expected ${threshold}`
    return new AgentError('trust.signature_invalid', problem)
  }
  const named = envelope.signatures.map(({ keyid }) => (keyid === '' ? 'unnamed' : keyid.slice(0, 16)))
  const problem = `cannot accept the envelope: none of its keys (${quote(named.join(', '))}) is trusted here`
  return new AgentError('trust.key_unknown', problem, {
    hint: 'Add the public key to the trusted keys of the device',
  })
}

/**
 * Opens an envelope of one of `payloadTypes`.
 * Throws `protocol.payload_malformed` (also for another payload type), `protocol.payload_oversized`,
 * `trust.unsigned_refused`, `trust.key_unknown` or `trust.signature_invalid`.
 */
export function openEnvelope(
  bytes: Uint8Array,
  payloadTypes: string | readonly string[],
  policy: TrustPolicy,
): OpenedEnvelope {
  const envelope = parseEnvelope(bytes, typeof payloadTypes === 'string' ? [payloadTypes] : payloadTypes)
  const { payloadType } = envelope
  const payload = Buffer.from(envelope.payload, 'base64')
  const signers = findSigners(envelope, preAuthEncoding(payloadType, payload), policy.keys)
  const threshold = Math.max(1, policy.threshold ?? 1)
  if (signers.size < threshold && policy.allowUnsigned !== true)
    throw refuse(envelope, signers.size, threshold)
  return { payloadType, payload, signedBy: [...signers] }
}
