/**
 * Signed payloads: DSSE envelopes (https://github.com/secure-systems-lab/dsse, v1.0.2) with Ed25519.
 * Invariant: the payload leaves this file only after enough trusted keys have been found under it, or when the caller
 * says in so many words that unsigned payloads are allowed.
 */

import { sign, verify } from 'node:crypto'
import * as v from 'valibot'
import type { Sha256 } from '../base/digest.js'
import { AgentError } from '../base/errors.js'
import type { SigningKey, TrustedKey } from './keys.js'
import { limits } from './limits.js'
import { quote } from './names.js'

const signatureCountMax = 16
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
export interface OpenedEnvelope {
  readonly payload: Uint8Array
  /** The trusted keys under the payload; fewer than the threshold only where unsigned payloads are allowed. */
  readonly signedBy: readonly Sha256[]
}

/** Standard and URL-safe base64, as the DSSE specification asks of a reader. */
const base64Field = v.pipe(
  v.string(),
  v.check((text) => /^[A-Za-z0-9+/_-]*={0,2}$/.test(text) && text.length % 4 !== 1, 'base64'),
)

const envelopeSchema = v.object({
  payloadType: v.pipe(v.string(), v.maxLength(200)),
  payload: base64Field,
  signatures: v.pipe(
    v.array(v.object({ keyid: v.optional(v.pipe(v.string(), v.maxLength(200)), ''), sig: base64Field })),
    v.maxLength(signatureCountMax),
  ),
})

type Envelope = v.InferOutput<typeof envelopeSchema>

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
  requireSize(bytes)
  return bytes
}

function requireSize(bytes: Uint8Array): void {
  if (bytes.byteLength <= limits.envelopeBytes) return
  const problem = `cannot accept the envelope: it has ${bytes.byteLength} bytes, expected at most ${limits.envelopeBytes}`
  throw new AgentError('protocol.payload_oversized', problem)
}

function parseEnvelope(bytes: Uint8Array): Envelope {
  requireSize(bytes)
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (thrown) {
    const problem = 'cannot accept the envelope: it is not JSON in UTF-8'
    throw new AgentError('protocol.payload_malformed', problem, { cause: thrown })
  }
  const outcome = v.safeParse(envelopeSchema, value, { abortEarly: true })
  if (outcome.success) return outcome.output
  const [issue] = outcome.issues
  const found = issue.input === undefined ? 'missing' : quote(issue.input)
  const place = v.getDotPath(issue)?.slice(0, 80) ?? 'the whole'
  const problem = `cannot accept the envelope: ${place} is ${found}, expected ${issue.expected ?? issue.message}`
  throw new AgentError('protocol.payload_malformed', problem)
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
 * Opens an envelope.
 * Throws `protocol.payload_malformed` (also for another payload type), `protocol.payload_oversized`,
 * `trust.unsigned_refused`, `trust.key_unknown` or `trust.signature_invalid`.
 */
export function openEnvelope(bytes: Uint8Array, payloadType: string, policy: TrustPolicy): OpenedEnvelope {
  const envelope = parseEnvelope(bytes)
  if (envelope.payloadType !== payloadType) {
    throw new AgentError(
      'protocol.payload_malformed',
      `cannot accept the envelope: payloadType is ${quote(envelope.payloadType)}, expected ${payloadType}`,
    )
  }
  const payload = Buffer.from(envelope.payload, 'base64')
  const signers = findSigners(envelope, preAuthEncoding(payloadType, payload), policy.keys)
  const threshold = Math.max(1, policy.threshold ?? 1)
  if (signers.size < threshold && policy.allowUnsigned !== true)
    throw refuse(envelope, signers.size, threshold)
  return { payload, signedBy: [...signers] }
}
