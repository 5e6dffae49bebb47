/**
 * The form of a DSSE envelope, apart from what its signatures are worth.
 * Invariant: needs no cryptography, so that a page without keys can show what was asked for; whoever acts on a payload
 * opens the envelope with its trusted keys instead.
 */

import * as v from 'valibot'
import { AgentError } from '../base/errors.js'
import { wireNotes } from './fields.js'
import { manifestPayloadType } from './manifest.js'
import { limits } from './limits.js'
import { quote } from './names.js'

const signatureCountMax = 16

/** Standard and URL-safe base64, as the DSSE specification asks of a reader. */
const base64Field = v.pipe(
  v.string(),
  v.check((text) => /^[A-Za-z0-9+/_-]*={0,2}$/.test(text) && text.length % 4 !== 1, 'base64'),
  wireNotes({ jsonSchema: { pattern: '^[A-Za-z0-9+/_-]*={0,2}$' } }),
)

/** The form of an envelope; its keys are written as they are here. */
export const envelopeSchema = v.object({
  payloadType: v.pipe(v.string(), v.maxLength(200)),
  payload: base64Field,
  signatures: v.pipe(
    v.array(v.object({ keyid: v.optional(v.pipe(v.string(), v.maxLength(200)), ''), sig: base64Field })),
    v.maxLength(signatureCountMax),
  ),
})

/** An envelope as it came: nothing of it is believed yet. */
export type Envelope = v.InferOutput<typeof envelopeSchema>

/** Throws `protocol.payload_oversized` for an envelope with one of `payloadTypes` that no device would accept. */
export function requireEnvelopeSize(bytes: Uint8Array, payloadTypes: readonly string[]): void {
  const isSmall = !payloadTypes.includes(manifestPayloadType)
  const bytesMax = isSmall ? limits.desiredEnvelopeBytes : limits.envelopeBytes
  if (bytes.byteLength <= bytesMax) return
  const problem = `cannot accept the envelope: it has ${bytes.byteLength} bytes, expected at most ${bytesMax}`
  throw new AgentError('protocol.payload_oversized', problem)
}

/** Of each of these characters, the most that an envelope with all its signatures has, with room for odd key names. */
const structureMax = 256

/**
 * Refuses what has more structure than an envelope can have, before it becomes objects: a few megabytes of brackets would
 * take hundreds. Throws `protocol.payload_malformed`.
 */
function requireFlat(bytes: Uint8Array): void {
  for (const character of ['{', '[', ',']) {
    const code = character.charCodeAt(0)
    let count = 0
    for (let at = bytes.indexOf(code); at >= 0; at = bytes.indexOf(code, at + 1)) {
      if (++count <= structureMax) continue
      const problem = `cannot accept the envelope: it has more than ${structureMax} times '${character}', expected a payload and at most ${signatureCountMax} signatures`
      throw new AgentError('protocol.payload_malformed', problem)
    }
  }
}

/** Reads the form of an envelope with one of `payloadTypes`, any unless given. Throws `protocol.payload_oversized` or `protocol.payload_malformed`. */
export function parseEnvelope(bytes: Uint8Array, payloadTypes?: readonly string[]): Envelope {
  requireEnvelopeSize(bytes, payloadTypes ?? [manifestPayloadType])
  requireFlat(bytes)
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (thrown) {
    const problem = 'cannot accept the envelope: it is not JSON in UTF-8'
    throw new AgentError('protocol.payload_malformed', problem, { cause: thrown })
  }
  const outcome = v.safeParse(envelopeSchema, value, { abortEarly: true })
  if (outcome.success) {
    if (payloadTypes !== undefined) requirePayloadType(outcome.output, payloadTypes)
    return outcome.output
  }
  const [issue] = outcome.issues
  const found = issue.input === undefined ? 'missing' : quote(issue.input)
  const place = v.getDotPath(issue)?.slice(0, 80) ?? 'the whole'
  const problem = `cannot accept the envelope: ${place} is ${found}, expected ${issue.expected ?? issue.message}`
  throw new AgentError('protocol.payload_malformed', problem)
}

/** Throws `protocol.payload_malformed` unless `envelope` says that it holds one of `payloadTypes`. */
function requirePayloadType(envelope: Envelope, payloadTypes: readonly string[]): void {
  if (payloadTypes.includes(envelope.payloadType)) return
  throw new AgentError(
    'protocol.payload_malformed',
    `cannot accept the envelope: payloadType is ${quote(envelope.payloadType)}, expected ${payloadTypes.join(' or ')}`,
  )
}

/** The content of an envelope. */
export interface Payload {
  readonly payloadType: string
  readonly payload: Uint8Array
}

/** The payload of an envelope for showing only: no signature is looked at. Throws what {@link parseEnvelope} throws. */
export function unverifiedPayload(bytes: Uint8Array, payloadTypes: readonly string[]): Payload {
  const envelope = parseEnvelope(bytes, payloadTypes)
  const text = atob(envelope.payload.replaceAll('-', '+').replaceAll('_', '/'))
  return {
    payloadType: envelope.payloadType,
    payload: Uint8Array.from(text, (unit) => unit.charCodeAt(0)),
  }
}
