/**
 * What a channel or a device should run: signed like a manifest.
 * Invariant: the target is part of what is signed, so that a wish for one channel cannot be replayed on another.
 */

import * as v from 'valibot'
import { AgentError } from '../base/errors.js'
import {
  countField,
  fractionField,
  integerField,
  lineField,
  listField,
  momentField,
  nameField,
  numberField,
  versionField,
} from './fields.js'
import { jsonPayload } from './json-payload.js'
import { limits } from './limits.js'

/** The DSSE payload type of a desired state. */
export const desiredPayloadType = 'application/vnd.yolo-edge.desired+json'

/** Whom a desired state is for. */
export interface DesiredTarget {
  readonly kind: 'channel' | 'device'
  readonly name: string
}

/** How a rollout goes on by itself; who holds the key carries it out, see `yolo-edge rollout serve`. */
export interface RolloutPlan {
  /** Shares of the devices, 0..100, rising: the first is where it begins. */
  readonly steps: readonly number[]
  /** How long a step lasts at least, milliseconds. */
  readonly everyMs: number
  /** Share of the devices that may fail, 0..1: of those that have come to an end with the version. */
  readonly failureShareMax: number
  /** So many devices must have come to an end before anything is concluded from them. */
  readonly devicesMin: number
}

/** Which devices of the target follow, and from when. */
export interface Rollout {
  /** Share of the devices, 0..100. */
  readonly percent: number
  /** Chooses which devices come first; the same salt with a larger percent only adds devices. */
  readonly salt: string
  /** Nobody follows before this moment. */
  readonly notBefore?: string
  /** Given up for good: nobody follows, and only a new rollout begins again. */
  readonly aborted?: boolean
  /** Why it was paused by itself, in one sentence. */
  readonly halted?: string
  /** Goes on by itself where given. */
  readonly plan?: RolloutPlan
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
  /** A device that has not heard it by then does not take it any more; who has taken it keeps it. */
  readonly expiresAt?: string
  /** Everybody at once unless given. */
  readonly rollout?: Rollout
}

/** A field that names a target. */
export const targetField: v.GenericSchema<unknown, DesiredTarget> = v.object({
  kind: v.picklist(['channel', 'device']),
  name: nameField,
})

const stepsMax = 32

const planField: v.GenericSchema<unknown, RolloutPlan> = v.object({
  steps: v.pipe(
    listField(numberField(0, 100), stepsMax),
    v.minLength(1, 'at least one step'),
    v.check((steps) => steps.every((step, index) => index === 0 || step > steps[index - 1]!), 'rising steps'),
  ),
  everyMs: countField,
  failureShareMax: fractionField,
  devicesMin: integerField(1, 1_000_000),
})

const desiredSchema: v.GenericSchema<unknown, Desired> = v.object({
  target: targetField,
  model: nameField,
  version: versionField,
  sequence: integerField(1, Number.MAX_SAFE_INTEGER),
  createdAt: momentField,
  allowDowngrade: v.exactOptional(v.boolean()),
  expiresAt: v.exactOptional(momentField),
  rollout: v.exactOptional(
    v.object({
      percent: numberField(0, 100),
      salt: lineField(64),
      notBefore: v.exactOptional(momentField),
      aborted: v.exactOptional(v.boolean()),
      halted: v.exactOptional(lineField(500)),
      plan: v.exactOptional(planField),
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

/** Throws `trust.signature_invalid` when what was signed for one target arrived on the topic of another. */
export function requireTarget(signedFor: DesiredTarget, target: DesiredTarget): void {
  if (signedFor.kind === target.kind && signedFor.name === target.name) return
  const signed = `${signedFor.kind} ${signedFor.name}`
  throw new AgentError(
    'trust.signature_invalid',
    `cannot accept the desired state: it was signed for ${signed}, expected ${target.kind} ${target.name}`,
  )
}

/** The form on the wire, for documents. */
export const desiredWire = payload.shape
