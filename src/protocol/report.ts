/**
 * What was measured on a device: after a trial, after a soak, and every period. Buffered while offline.
 * Invariant: each report has an id, so that one that arrives twice counts once.
 */

import * as v from 'valibot'
import { wireErrorField } from './deployment.js'
import type { WireError } from './deployment.js'
import {
  amountField,
  countField,
  fractionField,
  lineField,
  listField,
  momentField,
  nameField,
  numberField,
  versionField,
  wordField,
} from './fields.js'
import { jsonPayload } from './json-payload.js'
import { limits } from './limits.js'
import { accuracyField, latencyField } from './measurement.js'
import type { AccuracyFigures, LatencyFigures } from './measurement.js'

/** How one variant did in the trial of a deployment. */
export interface TrialFigures {
  readonly variant: string
  readonly provider: string
  readonly latency?: LatencyFigures
  readonly memoryBytes?: number
  readonly accuracy?: AccuracyFigures
  readonly chosen: boolean
  /** Why it was not chosen, or how it failed. */
  readonly reason?: string
}

/** Change of what the model sees, against the time right after the switch. */
export interface DriftFigures {
  /** Population stability index of the scores; above 0.25 is commonly called a shift. */
  readonly scorePsi?: number
  readonly classPsi?: number
  readonly detectionsPerFrame?: number
}

/** One report. */
export interface Report {
  readonly at: string
  readonly id: string
  readonly kind: 'trial' | 'soak' | 'period'
  readonly model: string
  readonly version: string
  readonly variant?: string
  readonly provider?: string
  /** Whether this was sent later than it was made, because the device was offline. */
  readonly historical?: boolean
  readonly periodMs?: number
  readonly frames?: number
  readonly errors?: number
  readonly latency?: LatencyFigures
  readonly accuracy?: AccuracyFigures
  /** Agreement with the previous model on the same frames, 0..1. */
  readonly agreement?: number
  readonly drift?: DriftFigures
  readonly memoryBytes?: number
  readonly trials?: readonly TrialFigures[]
  readonly error?: WireError
}

const trialField: v.GenericSchema<unknown, TrialFigures> = v.object({
  variant: nameField,
  provider: wordField,
  latency: v.exactOptional(latencyField),
  memoryBytes: v.exactOptional(amountField),
  accuracy: v.exactOptional(accuracyField),
  chosen: v.boolean(),
  reason: v.exactOptional(lineField(500)),
})

const reportSchema: v.GenericSchema<unknown, Report> = v.object({
  at: momentField,
  id: nameField,
  kind: v.picklist(['trial', 'soak', 'period']),
  model: nameField,
  version: versionField,
  variant: v.exactOptional(nameField),
  provider: v.exactOptional(wordField),
  historical: v.exactOptional(v.boolean()),
  periodMs: v.exactOptional(amountField),
  frames: v.exactOptional(countField),
  errors: v.exactOptional(countField),
  latency: v.exactOptional(latencyField),
  accuracy: v.exactOptional(accuracyField),
  agreement: v.exactOptional(fractionField),
  drift: v.exactOptional(
    v.object({
      scorePsi: v.exactOptional(numberField(0, 1000)),
      classPsi: v.exactOptional(numberField(0, 1000)),
      detectionsPerFrame: v.exactOptional(amountField),
    }),
  ),
  memoryBytes: v.exactOptional(amountField),
  trials: v.exactOptional(listField(trialField, 128)),
  error: v.exactOptional(wireErrorField),
})

const payload = jsonPayload<Report>({
  what: 'report',
  schema: reportSchema,
  bytesMax: limits.reportBytes,
  version: 1,
})

/** Reads a report. Throws `protocol.*` errors that name the field. */
export const parseReport = payload.parse

/** Writes a report. Throws the same errors when a reader would refuse it. */
export const encodeReport = payload.encode

/** The form on the wire, for documents. */
export const reportWire = payload.shape
