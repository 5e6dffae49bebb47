/** The closed list of what can happen to a deployment. */

import type { Sha256 } from '../base/sha256.js'
import type { WireError } from '../protocol/deployment.js'
import type { DeploymentRecord, DiscardedVariant } from './deployment-record.js'

export type UpdateEvent =
  | { readonly kind: 'offered'; readonly deployment: DeploymentRecord }
  /** The manifest is trusted, new enough, and has variants for this device: those of `shortlist`, best guess first. */
  | {
      readonly kind: 'accepted'
      readonly manifestSha256: Sha256
      readonly shortlist: readonly string[]
      readonly discarded: readonly DiscardedVariant[]
    }
  | { readonly kind: 'downloaded' }
  /** A file that was complete is not: it has to be fetched again. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'verified' }
  /** The device's owner lets the trial begin now. */
  | { readonly kind: 'permitted' }
  | {
      readonly kind: 'chosen'
      readonly variantId: string
      readonly why: string
      readonly discarded: readonly DiscardedVariant[]
    }
  | { readonly kind: 'switched' }
  | { readonly kind: 'soaked' }
  /** The work of a closing state is done. */
  | { readonly kind: 'finished' }
  | { readonly kind: 'failed'; readonly error: WireError }
  /** Another wish took the place of this one. */
  | { readonly kind: 'superseded'; readonly error: WireError }
  /** The work of a closing state failed too often; the next start tries it again. */
  | { readonly kind: 'abandoned' }

export type EventKind = UpdateEvent['kind']
