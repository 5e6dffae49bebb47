/**
 * That a target is told nothing of its own any more: a device follows its channel again. Signed like the wish it ends, and
 * retained in its place. Invariant: a release has a place in the order of wishes, so that an older wish cannot come back.
 */

import * as v from 'valibot'
import { type Desired, desiredPayloadType, type DesiredTarget, parseDesired, targetField } from './desired.js'
import { integerField, momentField } from './fields.js'
import { jsonPayload } from './json-payload.js'
import { limits } from './limits.js'
import { type Payload, unverifiedPayload } from './envelope-form.js'

/** The DSSE payload type of a release. */
export const releasePayloadType = 'application/vnd.yolo-edge.release+json'

/** The payload types that the topic of a target may hold. */
export const tellingPayloadTypes = [desiredPayloadType, releasePayloadType] as const

/** The end of a wish. */
export interface Release {
  readonly target: DesiredTarget
  /** In one order with the sequences of the target's wishes. */
  readonly sequence: number
  readonly createdAt: string
}

/** What a target is told: to run a version, or nothing of its own any more. */
export type Telling =
  { readonly kind: 'wish'; readonly wish: Desired } | { readonly kind: 'release'; readonly release: Release }

const releaseSchema: v.GenericSchema<unknown, Release> = v.object({
  target: targetField,
  sequence: integerField(1, Number.MAX_SAFE_INTEGER),
  createdAt: momentField,
})

const payload = jsonPayload<Release>({
  what: 'release',
  schema: releaseSchema,
  bytesMax: limits.desiredBytes,
  version: 1,
})

/** Writes a release; these bytes are what is signed. */
export const encodeRelease = payload.encode

/** Reads the payload of an opened envelope of one of {@link tellingPayloadTypes}. Throws `protocol.*`. */
export function parseTelling({ payloadType, payload: bytes }: Payload): Telling {
  if (payloadType === releasePayloadType) return { kind: 'release', release: payload.parse(bytes) }
  return { kind: 'wish', wish: parseDesired(bytes) }
}

/** What an envelope says, for showing and counting only: no signature is looked at. Throws `protocol.*`. */
export function unverifiedTelling(envelope: Uint8Array): Telling {
  return parseTelling(unverifiedPayload(envelope, tellingPayloadTypes))
}

/** Whom a telling is for, and its place in the order. */
export function placeOf(telling: Telling): Pick<Release, 'target' | 'sequence'> {
  return telling.kind === 'wish' ? telling.wish : telling.release
}

/** The form on the wire, for documents. */
export const releaseWire = payload.shape
