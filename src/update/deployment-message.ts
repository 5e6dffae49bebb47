/** A deployment as the fleet sees it. Invariant: what is made here is accepted by every reader of the protocol. */

import type { Deployment, DeploymentState, WireError } from '../protocol/deployment.js'
import type { DeploymentRecord } from './deployment-record.js'

/** How far the work of a state has come. */
export interface WorkProgress {
  /** 0..1 of this state. */
  readonly progress: number
  readonly bytesHave?: number
  readonly bytesTotal?: number
  readonly etaMs?: number
}

const discardedMax = 64
const reasonLengthMax = 500
const messageLengthMax = 2000

/** `text` on one line of at most 500 characters. */
export function reasonLine(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, reasonLengthMax)
}

/** An error as it goes over the wire and into the journal. */
export function wireError(code: string, message: string): WireError {
  return { code, message: message.slice(0, messageLengthMax) }
}

/** What is published of `deployment` in `state` at the wall time `atMs`. */
export function deploymentMessage(
  state: DeploymentState,
  deployment: DeploymentRecord,
  progress: WorkProgress | undefined,
  atMs: number,
): Deployment {
  const { id, model, version, variantId, attempt, error, discarded } = deployment
  return {
    at: new Date(atMs).toISOString(),
    id,
    state,
    model,
    version,
    attempt,
    ...(variantId !== undefined && { variant: variantId }),
    ...(error !== undefined && { error: wireError(error.code, error.message) }),
    ...(discarded.length > 0 && {
      discarded: discarded
        .slice(0, discardedMax)
        .map(({ variant, reason }) => ({ variant, reason: reasonLine(reason) })),
    }),
    ...(progress !== undefined && { ...progress, progress: Math.min(1, Math.max(0, progress.progress)) }),
  }
}
