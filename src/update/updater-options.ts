/** How the update service decides: limits and thresholds, all from the configuration. */

import type { SelectionPolicy } from './choose-variant.js'

/** What a new model has to show before and after it serves. */
export interface AcceptanceOptions {
  /** Points of mAP50-95 on the golden set that a variant may lie below the bundle's own figure, 0..1. */
  readonly expectedDropMax: number
  /** Points of mAP50-95 on the golden set that it may lie below the active model, 0..1. */
  readonly activeDropMax: number
  /** How many times the active model's median latency it may take in its trial. */
  readonly activeLatencyFactorMax: number
  /** How long the new model is watched while it serves, milliseconds; 0: not at all. */
  readonly soakMs: number
  /** Length of one window of the watch. */
  readonly soakWindowMs: number
  /** How many times the trial's p95 latency the serving one may reach. */
  readonly latencyFactorMax: number
  /** Share of frames that may fail, 0..1. */
  readonly errorShareMax: number
  /** Smallest agreement with the previous model on the same frames, 0..1; only where no golden set has compared the two. */
  readonly agreementMin: number
}

export interface UpdaterOptions {
  readonly device: string
  readonly selection: SelectionPolicy & { readonly trialsMax: number }
  readonly acceptance: AcceptanceOptions
  /** How often one wish is tried before it is given up. */
  readonly attemptsMax: number
  /** Of the running kernel, by which power cuts are told apart from crashes; undefined where there is none. */
  readonly bootId?: string
  /** Whether a model stops serving when no key that is trusted any more has signed it. */
  readonly stopsUntrusted: boolean
}
