/**
 * What a channel or a device should run: signed like a manifest.
 * Invariant: the target is part of what is signed, so that a wish for one channel cannot be replayed on another.
 */

import * as v from 'valibot'
import { AgentError } from '../base/errors.js'
import { integerField, momentField, nameField, numberField, versionField, lineField } from './fields.js'
import { jsonPayload } from './json-payload.js'
import { limits } from './limits.js'

/** The DSSE payload type of a desired state. */
export const desiredPayloadType = 'application/vnd.yolo-edge.desired+json'

/** Whom a desired state is for. */
export interface DesiredTarget {
  readonly kind: 'channel' | 'device'
  readonly name: string
}

/** Which devices of the target follow, and from when. */
export interface Rollout {
  /** Share of the devices, 0..100. */
  readonly percent: number
  /** Chooses which devices come first; the same salt with a larger percent only adds devices. */
  readonly salt: string
  /** Nobody follows before this moment. */
  readonly notBefore?: string
}

/** The model version that a target should run. */
export interface Desired {
  readonly target: DesiredTarget
  readonly model: string
  readonly version: string
  /** Rises with each wish for one target: an older one is a replay. */
  readonly sequence: number
  readonly createdAt: string
  /** Lets a device go back to a version with a lower manifest sequence. Off unless given. */
  readonly allowDowngrade?: boolean
  /** Everybody at once unless given. */
  readonly rollout?: Rollout
}

const desiredSchema: v.GenericSchema<unknown, Desired> = v.object({
  target: v.object({ kind: v.picklist(['channel', 'device']), name: nameField }),
  model: nameField,
  version: versionField,
  sequence: integerField(1, Number.MAX_SAFE_INTEGER),
  createdAt: momentField,
  allowDowngrade: v.exactOptional(v.boolean()),
  rollout: v.exactOptional(
    v.object({
      percent: numberField(0, 100),
      salt: lineField(64),
      notBefore: v.exactOptional(momentField),
    }),
  ),
})

const payload = jsonPayload<Desired>({
  what: 'desired state',
  schema: desiredSchema,
  bytesMax: limits.desiredBytes,
  version: 1,
})

/** Reads a desired state: the payload of a verified envelope. Throws `protocol.*` errors that name the field. */
export const parseDesired = payload.parse

/** Writes a desired state; these bytes are what is signed. */
export const encodeDesired = payload.encode

/** Throws `trust.signature_invalid` when a verified `desired` arrived on the topic of another target. */
export function requireTarget(desired: Desired, target: DesiredTarget): void {
  if (desired.target.kind === target.kind && desired.target.name === target.name) return
  const signed = `${desired.target.kind} ${desired.target.name}`
  throw new AgentError(
    'trust.signature_invalid',
    `cannot accept the desired state: it was signed for ${signed}, expected ${target.kind} ${target.name}`,
  )
}
