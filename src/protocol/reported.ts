/** What a device runs now: retained. Invariant: says what serves, not what is wished or under way. */

import * as v from 'valibot'
import type { Sha256 } from '../base/sha256.js'
import { type DeploymentState, deploymentStates, type WireError, wireErrorField } from './deployment.js'
import { type DesiredTarget, targetField } from './desired.js'
import {
  countField,
  fractionField,
  lineField,
  momentField,
  nameField,
  sha256Field,
  versionField,
  wordField,
} from './fields.js'
import { jsonPayload } from './json-payload.js'
import { limits } from './limits.js'

/** One model version as it serves or served. */
export interface RunningModel {
  readonly model: string
  readonly version: string
  readonly variant: string
  /** Digest of the decoded file. */
  readonly sha256: Sha256
  readonly provider: string
  readonly since: string
  /** Why this variant, in one sentence. */
  readonly why?: string
}

/** A version that is on its way to serve. */
export interface UpdatingModel {
  readonly model: string
  readonly version: string
  readonly state: DeploymentState
  /** Of the whole way, 0..1: half of it is the download. */
  readonly progress: number
}

/** A version that this device was asked to run and does not. */
export interface RefusedModel {
  readonly model: string
  readonly version: string
  readonly at: string
  /** Why it was refused, or rolled back. */
  readonly error: WireError
}

/** A version that should serve and cannot be proven right; the device fetches its files again. */
export interface RestoringModel {
  readonly model: string
  readonly version: string
  readonly variant: string
  /** Since when it is known. */
  readonly since: string
  /** What is wrong with it, or why it could not be brought back yet. */
  readonly error: WireError
}

/** A wish that this device did not take. */
export interface RefusedWish {
  readonly target: DesiredTarget
  readonly at: string
  readonly error: WireError
  /** What it asked, as far as it could be read: not believed, only told. */
  readonly model?: string
  readonly version?: string
  readonly sequence?: number
  /** The newest sequence that was taken for the target, when this one came after it. */
  readonly newestSequence?: number
}

/** The state a device has reached. */
export interface Reported {
  readonly at: string
  /** Absent while no model serves. */
  readonly active?: RunningModel
  /** The version that is on its way; absent while none is. */
  readonly updating?: UpdatingModel
  /** What a rollback would bring back. */
  readonly previous?: RunningModel
  /** Present while something is wrong with the version that should serve; `active` is then what serves meanwhile. */
  readonly restoring?: RestoringModel
  /** Why what serves would not be accepted today: no key that the device trusts has signed it. */
  readonly distrusted?: WireError
  /** The last version that was refused or rolled back; absent once a later one serves. */
  readonly refused?: RefusedModel
  /** The last wish that was not taken; absent once a later one for the same target is. */
  readonly refusedWish?: RefusedWish
  /** Wishes that were not taken since the agent has started. */
  readonly refusedWishes?: number
  /** Sequence of the wish that counts. */
  readonly desiredSequence?: number
}

const runningField: v.GenericSchema<unknown, RunningModel> = v.object({
  model: nameField,
  version: versionField,
  variant: nameField,
  sha256: sha256Field,
  provider: wordField,
  since: momentField,
  why: v.exactOptional(lineField(500)),
})

const reportedSchema: v.GenericSchema<unknown, Reported> = v.object({
  at: momentField,
  active: v.exactOptional(runningField),
  updating: v.exactOptional(
    v.object({
      model: nameField,
      version: versionField,
      state: v.picklist(deploymentStates),
      progress: fractionField,
    }),
  ),
  previous: v.exactOptional(runningField),
  restoring: v.exactOptional(
    v.object({
      model: nameField,
      version: versionField,
      variant: nameField,
      since: momentField,
      error: wireErrorField,
    }),
  ),
  distrusted: v.exactOptional(wireErrorField),
  refused: v.exactOptional(
    v.object({ model: nameField, version: versionField, at: momentField, error: wireErrorField }),
  ),
  refusedWish: v.exactOptional(
    v.object({
      target: targetField,
      at: momentField,
      error: wireErrorField,
      model: v.exactOptional(nameField),
      version: v.exactOptional(versionField),
      sequence: v.exactOptional(countField),
      newestSequence: v.exactOptional(countField),
    }),
  ),
  refusedWishes: v.exactOptional(countField),
  desiredSequence: v.exactOptional(countField),
})

const payload = jsonPayload<Reported>({
  what: 'reported state',
  schema: reportedSchema,
  bytesMax: limits.reportedBytes,
  version: 1,
})

/** Reads a reported state. Throws `protocol.*` errors that name the field. */
export const parseReported = payload.parse

/** Writes a reported state. Throws the same errors when a reader would refuse it. */
export const encodeReported = payload.encode

/** The form on the wire, for documents. */
export const reportedWire = payload.shape
