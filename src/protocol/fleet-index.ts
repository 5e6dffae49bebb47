/**
 * The list of what is on a broker, in parts under exact topics. Some brokers give no retained message to a subscription with
 * wildcards, and none proves that it has given all of them: what the list names is asked for by its own topic, and has come
 * or has not.
 *
 *     versions        each version whose manifest is or was about to be published:  MODEL VERSION
 *     wishes          each channel and device that is told what to run:             channel NAME, device NAME
 *     devices-0..63   each device that an operator has seen, by a digest of its name: NAME
 *
 * Invariant: a name is in the list before what it names is on the broker, and leaves it after that.
 */

import * as v from 'valibot'
import { lineField, listField } from './fields.js'
import { jsonPayload } from './json-payload.js'
import { limits } from './limits.js'
import { isName, isVersion } from './names.js'

/** One part of the list. */
export interface IndexPart {
  /** Chosen anew for each writing: by it a writer recognizes its own. */
  readonly writer: string
  /** Sorted, each once. */
  readonly names: readonly string[]
  /**
   * What this writing added to the list that its writer had read, and took from it. A writer that overwrites it unseen makes
   * these changes again.
   */
  readonly added: readonly string[]
  readonly removed: readonly string[]
}

/** Parts that devices are spread over: each holds about a thousand names. */
const devicePartCount = 64

/** The part that lists versions. */
export const versionsPart = 'versions'
/** The part that lists who is told what to run. */
export const wishesPart = 'wishes'
/** The parts that list devices. */
export const deviceParts: readonly string[] = Array.from(
  { length: devicePartCount },
  (_, index) => `devices-${index}`,
)

const parts: ReadonlySet<string> = new Set([versionsPart, wishesPart, ...deviceParts])

/** Whether the list has a part of this name. */
export function isIndexPart(name: string): boolean {
  return parts.has(name)
}

/** The part that a device belongs to: by FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/) of its name. */
export function devicePartOf(device: string): string {
  let hash = 0x81_1c_9d_c5
  for (const byte of new TextEncoder().encode(device)) hash = Math.imul(hash ^ byte, 0x01_00_01_93)
  return deviceParts[(hash >>> 0) % devicePartCount]!
}

/** A version that is listed. */
export interface ModelVersionEntry {
  readonly model: string
  readonly version: string
}

/** How a version is listed. */
export function versionEntry({ model, version }: ModelVersionEntry): string {
  return `${model} ${version}`
}

/** The version that an entry lists; undefined for an entry that lists none. */
export function versionIn(entry: string): ModelVersionEntry | undefined {
  const [model = '', version = '', ...rest] = entry.split(' ')
  return isName(model) && isVersion(version) && rest.length === 0 ? { model, version } : undefined
}

/** How a channel or a device that is told what to run is listed. */
export function wishEntry({
  kind,
  name,
}: {
  readonly kind: 'channel' | 'device'
  readonly name: string
}): string {
  return `${kind} ${name}`
}

/** Whom an entry lists; undefined for an entry that lists nobody. */
export function wishTargetIn(
  entry: string,
): { readonly kind: 'channel' | 'device'; readonly name: string } | undefined {
  const [kind, name = '', ...rest] = entry.split(' ')
  if ((kind !== 'channel' && kind !== 'device') || !isName(name) || rest.length > 0) return undefined
  return { kind, name }
}

const names = listField(lineField(160), 20_000)

const payload = jsonPayload<IndexPart>({
  what: 'index',
  schema: v.object({ writer: lineField(64), names, added: names, removed: names }),
  bytesMax: limits.indexBytes,
  version: 1,
})

/** Throws `protocol.*`. */
export const parseIndexPart = payload.parse

/** Throws `protocol.payload_oversized` when there are more names than a message of any common broker holds. */
export const encodeIndexPart = payload.encode

/** The form on the wire, for documents. */
export const indexPartWire = payload.shape
