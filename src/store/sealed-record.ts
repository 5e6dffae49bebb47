/**
 * A record file: one header line with kind, format version and digest, then the body: JSON or plain bytes.
 * Invariant: what decodes is exactly what was encoded; anything else is reported as corrupt, never thrown.
 *
 *     yolo-edge-record <kind> <format> <sha256 of the body>\n
 *     {...}
 */

import { sha256Of } from '../base/digest.js'

/** Which record this is. `format` is raised when old software would misread the new content. */
export interface RecordKind {
  readonly kind: string
  readonly format: number
}

interface Corrupt {
  readonly state: 'corrupt'
  readonly reason: string
}

export type Unsealed = { readonly state: 'valid'; readonly body: Uint8Array } | Corrupt
export type DecodedRecord = { readonly state: 'valid'; readonly value: unknown } | Corrupt

const MAGIC = 'yolo-edge-record'
const NEWLINE = 10

/** The bytes of a record around `body`; copies it. */
export function sealBytes(kind: RecordKind, body: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${MAGIC} ${kind.kind} ${kind.format} ${sha256Of(body)}\n`), body])
}

/** The bytes of a record with the JSON value `value`. */
export function encodeRecord(kind: RecordKind, value: unknown): Uint8Array {
  return sealBytes(kind, Buffer.from(`${JSON.stringify(value)}\n`))
}

/** The body in `bytes` (a view of them), or why they are no intact record of this kind and format. */
export function unsealBytes(kind: RecordKind, bytes: Uint8Array): Unsealed {
  const headerEnd = bytes.indexOf(NEWLINE)
  if (headerEnd < 0) return { state: 'corrupt', reason: 'no header line' }
  const header = Buffer.from(bytes.subarray(0, headerEnd)).toString('latin1')
  const body = bytes.subarray(headerEnd + 1)
  const expected = `${MAGIC} ${kind.kind} ${kind.format} `
  if (!header.startsWith(expected)) {
    return {
      state: 'corrupt',
      reason: `header ${JSON.stringify(header.slice(0, 80))}, expected ${expected.trim()}`,
    }
  }
  if (header.slice(expected.length) !== sha256Of(body)) return { state: 'corrupt', reason: 'digest differs' }
  return { state: 'valid', body }
}

/** The JSON value in `bytes`, or why they are no intact record of this kind and format. */
export function decodeRecord(kind: RecordKind, bytes: Uint8Array): DecodedRecord {
  const unsealed = unsealBytes(kind, bytes)
  if (unsealed.state === 'corrupt') return unsealed
  try {
    return { state: 'valid', value: JSON.parse(Buffer.from(unsealed.body).toString('utf8')) as unknown }
  } catch {
    // Intact bytes that are no JSON were not written by encodeRecord.
    return { state: 'corrupt', reason: 'content is no JSON' }
  }
}
