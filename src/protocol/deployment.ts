/** How a deployment goes on: retained, one message a step. Invariant: a refusal or rollback always carries its code. */

import * as v from 'valibot'
import {
  amountField,
  countField,
  fractionField,
  integerField,
  lineField,
  listField,
  momentField,
  nameField,
  versionField,
} from './fields.js'
import { jsonPayload } from './json-payload.js'
import { limits } from './limits.js'

/** Every state of a deployment, in the order of a good course, then the bad ends. */
export const deploymentStates = [
  'idle',
  'offered',
  'downloading',
  'verifying',
  'staged',
  'trial',
  'switching',
  'soaking',
  'committed',
  'refused',
  'rollingBack',
] as const

/** A state of a deployment. */
export type DeploymentState = (typeof deploymentStates)[number]

/** An error as it goes over the wire: `code` is a row of the error table of the sender's version. */
export interface WireError {
  readonly code: string
  readonly message: string
}

/** Ends that say nothing against a version: an operator chose otherwise, or the variant that serves measured best again. */
const harmlessCodes = new Set(['deployment.wish_superseded', 'deployment.variant_kept'])

/** `error` when it says something against the version that was deployed; undefined for an end that does not. */
export function failureOf(error: WireError | undefined): WireError | undefined {
  return error === undefined || harmlessCodes.has(error.code) ? undefined : error
}

/** The course of one deployment. */
export interface Deployment {
  readonly at: string
  /** Tells deployments of one device apart. */
  readonly id: string
  readonly state: DeploymentState
  readonly model: string
  readonly version: string
  /** The variant chosen, once it is. */
  readonly variant?: string
  /** Part of the current state that is done, 0..1, and how long the rest will take. */
  readonly progress?: number
  readonly etaMs?: number
  readonly bytesHave?: number
  readonly bytesTotal?: number
  /** 1 for the first. */
  readonly attempt: number
  /** Why it was refused or rolled back. */
  readonly error?: WireError
  /** Variants that were ruled out, and why. */
  readonly discarded?: readonly { readonly variant: string; readonly reason: string }[]
}

/** An error inside a payload. */
export const wireErrorField: v.GenericSchema<unknown, WireError> = v.object({
  code: v.pipe(v.string(), v.regex(/^[a-z]+\.[a-z0-9_]{1,60}$/, 'an error code such as trust.key_unknown')),
  message: v.pipe(v.string(), v.maxLength(2000, 'at most 2000 characters')),
})

const deploymentShape: v.GenericSchema<unknown, Deployment> = v.object({
  at: momentField,
  id: nameField,
  state: v.picklist(deploymentStates),
  model: nameField,
  version: versionField,
  variant: v.exactOptional(nameField),
  progress: v.exactOptional(fractionField),
  etaMs: v.exactOptional(amountField),
  bytesHave: v.exactOptional(countField),
  bytesTotal: v.exactOptional(countField),
  attempt: integerField(1, 1_000_000),
  error: v.exactOptional(wireErrorField),
  discarded: v.exactOptional(listField(v.object({ variant: nameField, reason: lineField(500) }), 64)),
})

const deploymentSchema = v.pipe(
  deploymentShape,
  v.check(
    ({ state, error }) => (state !== 'refused' && state !== 'rollingBack') || error !== undefined,
    'an error, because the state is refused or rollingBack',
  ),
)

const payload = jsonPayload<Deployment>({
  what: 'deployment state',
  schema: deploymentSchema,
  bytesMax: limits.deploymentBytes,
  version: 1,
})

/** Reads a deployment state. Throws `protocol.*` errors that name the field. */
export const parseDeployment = payload.parse

/** Writes a deployment state. Throws the same errors when a reader would refuse it. */
export const encodeDeployment = payload.encode

/** The form on the wire, for documents. */
export const deploymentWire = payload.shape
