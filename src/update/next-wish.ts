/**
 * What an idle device does about the wish that counts.
 * Invariant: pure; a wish that was refused for good is never tried again, one that failed not before its time.
 */

import type { Outcome } from './outcomes.js'
import type { SlotsView } from './ports.js'
import type { Wish, WishDecision } from './wishes.js'

/** Deploy now, or look again after a time or when a wish arrives. */
export type NextStep =
  | { readonly kind: 'deploy'; readonly wish: Wish; readonly attempt: number }
  | { readonly kind: 'wait'; readonly waitMs: number }

/** A time far away, when there is nothing to wait for but a wish. */
const foreverMs = 2 ** 30
/** Waiting for a moment is done in pieces: the wall clock of a device without a battery jumps. */
const waitPieceMs = 60_000

function waitFor(waitMs: number): NextStep {
  return { kind: 'wait', waitMs: Math.min(waitMs, waitPieceMs) }
}

/** The next step; `waitOf` tells how long an outcome that may be tried again still waits, milliseconds. */
export function nextStep(
  decision: WishDecision,
  { active }: SlotsView,
  outcomes: readonly Outcome[],
  waitOf: (outcome: Outcome) => number,
): NextStep {
  if (decision.kind === 'nothing') return { kind: 'wait', waitMs: foreverMs }
  if (decision.kind === 'wait') return waitFor(decision.waitMs)
  const { wish } = decision
  const { model, version } = wish.desired
  if (active?.model === model && active.version === version) return { kind: 'wait', waitMs: foreverMs }
  const outcome = outcomes.find(({ deploymentId }) => deploymentId === wish.id)
  if (outcome === undefined) return { kind: 'deploy', wish, attempt: 1 }
  // Committed, but the record of which model is active was lost, or another wish counted in the meantime.
  const wasReplaced = active === undefined || outcomes.at(-1) !== outcome
  if (outcome.result === 'committed' && wasReplaced) return { kind: 'deploy', wish, attempt: 1 }
  if (outcome.isFinal) return { kind: 'wait', waitMs: foreverMs }
  const leftMs = waitOf(outcome)
  return leftMs > 0 ? waitFor(leftMs) : { kind: 'deploy', wish, attempt: outcome.attempts + 1 }
}
