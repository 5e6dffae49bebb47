/** What became of a candidate. Invariant: plain data, so that a search can be written down and read again. */

import type { Candidate } from './candidate.js'

/** Figures of a candidate that was made and measured. */
export interface Figures {
  /** mAP50-95 and mAP50 on the validation pictures, 0..1. */
  readonly map: number
  readonly map50: number
  /** Against the float export: difference of mAP50-95 and its 95 % interval. */
  readonly difference: { readonly value: number; readonly low: number; readonly high: number }
  /** Of the model file, and as it travels. */
  readonly sizeBytes: number
  readonly packedBytes: number
  readonly macs: number
  readonly parameters: number
  /** Time of a frame on this machine, and how many times the float export takes it; both measured in turns. */
  readonly ms: number
  readonly speedUp: number
}

export interface MeasuredTrial {
  readonly kind: 'measured'
  readonly candidate: Candidate
  readonly figures: Figures
  /** Of the model file. */
  readonly sha256: string
}

/** A candidate that could not be made, and why. */
export interface RefusedTrial {
  readonly kind: 'refused'
  readonly candidate: Candidate
  readonly reason: string
}

export type Trial = MeasuredTrial | RefusedTrial
