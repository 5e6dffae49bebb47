/** Measured figures that reports and metrics share. Invariant: milliseconds for times, 0..1 for shares. */

import * as v from 'valibot'
import { amountField, countField, fractionField, lineField } from './fields.js'

/** Distribution of a latency; the shape of a histogram's summary. */
export interface LatencyFigures {
  readonly count: number
  readonly meanMs: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** Accuracy against labels. */
export interface AccuracyFigures {
  /** mAP50-95, 0..1. */
  readonly map: number
  /** mAP50, 0..1. */
  readonly map50: number
  readonly images: number
  /** `golden` or the name of a data set. */
  readonly dataset: string
}

/** A latency distribution inside a payload. */
export const latencyField: v.GenericSchema<unknown, LatencyFigures> = v.object({
  count: countField,
  meanMs: amountField,
  p50Ms: amountField,
  p95Ms: amountField,
  p99Ms: amountField,
  maxMs: amountField,
})

/** Accuracy figures inside a payload. */
export const accuracyField: v.GenericSchema<unknown, AccuracyFigures> = v.object({
  map: fractionField,
  map50: fractionField,
  images: countField,
  dataset: lineField(120),
})
