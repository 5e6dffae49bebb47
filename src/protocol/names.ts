/**
 * Names that become part of topics and paths: devices, models, versions, channels, cameras, commands.
 * Invariant: a checked name is one plain file name on every platform; in topics it travels as `topic-level` writes it.
 */

import { AgentError } from '../base/errors.js'
import { printable } from '../base/printable.js'

/** What a name stands for; used in messages. */
export type NameKind = 'model' | 'device' | 'channel' | 'camera' | 'command' | 'variant'

/** Long enough for a UUID with a prefix, short enough for NATS subjects and file systems. */
export const nameLengthMax = 64
export const versionLengthMax = 64

/** The characters of a name; two dots in a row are refused besides. */
export const namePattern = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/

/** Semantic Versioning 2.0.0, https://semver.org; without build metadata, which does not order versions. */
export const versionPattern =
  /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?$/

/** What a name must look like, in words, for messages. */
export const nameExpected = `1 to ${nameLengthMax} of letters, digits, '.', '_' and '-', a letter or digit at both ends, no '..'`

/** What a version must look like, in words, for messages. */
export const versionExpected = 'a semantic version without build metadata, such as 1.4.0 or 2.0.0-rc.1'

/** Whether `text` may be a name. */
export function isName(text: string): boolean {
  return text.length <= nameLengthMax && namePattern.test(text) && !text.includes('..')
}

/** Whether `text` is a semantic version. */
export function isVersion(text: string): boolean {
  return text.length <= versionLengthMax && versionPattern.test(text)
}

/** Returns `text` if it may name a `kind`; throws `protocol.name_invalid` otherwise. */
export function requireName(kind: NameKind, text: string): string {
  if (isName(text)) return text
  throw new AgentError('protocol.name_invalid', `${kind} name ${quote(text)} is not ${nameExpected}`)
}

/** Returns `text` if it is a semantic version; throws `protocol.name_invalid` otherwise. */
export function requireVersion(text: string): string {
  if (isVersion(text)) return text
  throw new AgentError('protocol.name_invalid', `version ${quote(text)} is not ${versionExpected}`)
}

/** `value` as one short line of JSON: for messages that must not grow with hostile input. */
export function quote(value: unknown): string {
  const text = typeof value === 'bigint' ? value.toString() : (JSON.stringify(value) as string | undefined)
  if (text === undefined) return 'nothing'
  return printable(text.length <= 60 ? text : `${text.slice(0, 57)}...`)
}
