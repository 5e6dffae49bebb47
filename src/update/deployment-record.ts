/** What is known of one deployment; the part of it that the journal keeps. */

import type { Sha256 } from '../base/sha256.js'
import type { WireError } from '../protocol/deployment.js'
import type { DesiredTarget } from '../protocol/desired.js'

/** A variant that was ruled out, and why, in one sentence. */
export interface DiscardedVariant {
  readonly variant: string
  readonly reason: string
}

export interface DeploymentRecord {
  /** Made from the wish: the same wish is the same deployment. */
  readonly id: string
  readonly target: DesiredTarget
  readonly model: string
  readonly version: string
  /** Whether the wish lets the manifest's sequence be lower than what was committed before. */
  readonly allowDowngrade: boolean
  /** 1 for the first. */
  readonly attempt: number
  /** How often a restart interrupted this attempt, outside the trial and in it. */
  readonly restarts: number
  readonly trialRestarts: number
  /** How often a file that was complete had to be fetched again. */
  readonly refetches: number
  /** Digest of the manifest as kept in the store, once it is accepted. */
  readonly manifestSha256?: Sha256
  /** Variants to fetch and to try, best guess first. */
  readonly shortlist: readonly string[]
  readonly discarded: readonly DiscardedVariant[]
  /** The variant chosen in the trial, and why. */
  readonly variantId?: string
  readonly why?: string
  /** Why the variants of the serving version are measured anew; absent when a wish asked for the deployment. */
  readonly reconsidered?: string
  /** Why it was refused or is rolled back. */
  readonly error?: WireError
}

/** What a record of a wish or a model found begins with. */
export function emptyRecord(): Pick<
  DeploymentRecord,
  'restarts' | 'trialRestarts' | 'refetches' | 'shortlist' | 'discarded'
> {
  return { restarts: 0, trialRestarts: 0, refetches: 0, shortlist: [], discarded: [] }
}
