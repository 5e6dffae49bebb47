/**
 * Which trials are worth keeping.
 * Invariant: a trial that is dropped is no better in anything than the one named for it.
 */

import { boundsAccuracy, brokenBounds, type Budget } from './budget.js'
import { candidateId } from './candidate.js'
import type { MeasuredTrial } from './trial.js'

/** Times closer than this are the same time on a machine that does other things too. */
const sameTime = 1.03

export interface Front {
  readonly kept: readonly MeasuredTrial[]
  readonly dropped: readonly { readonly trial: MeasuredTrial; readonly by: MeasuredTrial }[]
}

/**
 * Splits `trials` into those that nothing dominates, fastest first, and the rest. `by` is at least as accurate, as
 * fast and as small, and better in one of them; of equals the first stays.
 */
export function frontOf(trials: readonly MeasuredTrial[]): Front {
  const kept: MeasuredTrial[] = []
  const dropped: { trial: MeasuredTrial; by: MeasuredTrial }[] = []
  for (const [index, trial] of trials.entries()) {
    const by = trials.find((other, at) => other !== trial && dominates(other, trial, at < index))
    if (by === undefined) kept.push(trial)
    else dropped.push({ trial, by })
  }
  return { kept: kept.sort((a, b) => a.figures.ms - b.figures.ms), dropped }
}

function dominates(
  { figures: one }: MeasuredTrial,
  { figures: other }: MeasuredTrial,
  isEarlier: boolean,
): boolean {
  const noWorse = one.map >= other.map && one.ms <= other.ms * sameTime && one.sizeBytes <= other.sizeBytes
  const better = one.map > other.map || one.ms * sameTime < other.ms || one.sizeBytes < other.sizeBytes
  return noWorse && (better || (isEarlier && one.ms <= other.ms))
}

/** The trial that answers `budget` best, or undefined: the fastest where accuracy is bounded, else the most accurate. */
export function bestWithin(budget: Budget, trials: readonly MeasuredTrial[]): MeasuredTrial | undefined {
  const allowed = trials.filter(({ figures }) => brokenBounds(budget, figures).length === 0)
  const rank = boundsAccuracy(budget)
    ? (a: MeasuredTrial, b: MeasuredTrial) => a.figures.ms - b.figures.ms
    : (a: MeasuredTrial, b: MeasuredTrial) => b.figures.map - a.figures.map
  return allowed.sort(
    (a, b) => rank(a, b) || (candidateId(a.candidate) < candidateId(b.candidate) ? -1 : 1),
  )[0]
}
