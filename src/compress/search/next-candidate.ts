/**
 * What a search tries next: the ladder first (float, int8 at each size, the forms for other hardware), then pruning between
 * what is allowed and what is not, budget by budget.
 * Invariant: a pure function of the settings and the trials so far, so a search that was killed goes on as it would have.
 */

import type { Int8TargetName } from '../quantization/targets.js'
import { boundsAccuracy, brokenBounds, type Budget } from './budget.js'
import { type Candidate, candidateId } from './candidate.js'
import type { Trial } from './trial.js'

export interface SearchSettings {
  /** At least one; asked for in this order. */
  readonly budgets: readonly Budget[]
  /** Input sizes; the first is that of the export. */
  readonly sides: readonly number[]
  /** What int8 is made for on this machine. */
  readonly hostTarget: Int8TargetName
  /** Other hardware that the bundle should serve. */
  readonly otherTargets: readonly Int8TargetName[]
  /** Whether a half precision form for GPUs belongs to the ladder. */
  readonly half: boolean
}

/** Parts of the multiply-accumulates that pruning is tried at. */
export const pruningSteps: readonly number[] = [1, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5]

/** The candidate that everything is compared with. */
export function referenceCandidate({ sides }: SearchSettings): Candidate {
  return { precision: 'fp32', side: sides[0]!, macs: 1 }
}

/** The next candidate to make and measure, or undefined where the search is done. */
export function nextCandidate(settings: SearchSettings, trials: readonly Trial[]): Candidate | undefined {
  const known = new Map(trials.map((trial) => [candidateId(trial.candidate), trial]))
  const isNew = (candidate: Candidate): boolean => !known.has(candidateId(candidate))
  const rung = ladder(settings).find(isNew)
  if (rung !== undefined) return rung
  for (const budget of settings.budgets) {
    for (const side of settings.sides) {
      const next = nextPruning(settings, budget, side, known)
      if (next !== undefined) return next
    }
  }
  return settings.budgets.flatMap((budget) => prunedFloat(settings, budget, known)).find(isNew)
}

function ladder(settings: SearchSettings): readonly Candidate[] {
  const { sides, hostTarget, otherTargets, half } = settings
  const side = sides[0]!
  return [
    referenceCandidate(settings),
    ...sides.map((each): Candidate => hostInt8(hostTarget, each, 1)),
    ...(half ? [{ precision: 'fp16', side, macs: 1 } as const] : []),
    ...otherTargets.map((target): Candidate => ({ precision: 'int8', target, side, macs: 1 })),
  ]
}

function hostInt8(target: Int8TargetName, side: number, macs: number): Candidate {
  return { precision: 'int8', target, side, macs }
}

/**
 * Bisects the pruning steps at one size. Accuracy falls with pruning and size and time fall with it too, so where accuracy is
 * bounded the last step within its bound is looked for, else the first within the others.
 */
function nextPruning(
  { hostTarget }: SearchSettings,
  budget: Budget,
  side: number,
  known: ReadonlyMap<string, Trial>,
): Candidate | undefined {
  const trialAt = (step: number): Trial | undefined =>
    known.get(candidateId(hostInt8(hostTarget, side, pruningSteps[step]!)))
  const isAccuracy = boundsAccuracy(budget)
  /** Whether the wanted step lies further down than this one. */
  const wantsMore = (trial: Trial): boolean => {
    if (trial.kind === 'refused') return false
    const broken = brokenBounds(budget, trial.figures)
    return isAccuracy ? !broken.some(({ quantity }) => quantity === 'map-drop') : broken.length > 0
  }
  const first = trialAt(0)
  if (first === undefined || !wantsMore(first)) return undefined
  let [low, high] = [0, pruningSteps.length]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    const trial = trialAt(middle)
    if (trial === undefined) return hostInt8(hostTarget, side, pruningSteps[middle]!)
    if (wantsMore(trial)) low = middle
    else high = middle
  }
  return undefined
}

/** The float form of the pruned model that answers the budget at the export's size, for hardware without int8. */
function prunedFloat(
  { hostTarget, sides }: SearchSettings,
  budget: Budget,
  known: ReadonlyMap<string, Trial>,
): readonly Candidate[] {
  const side = sides[0]!
  const allowed = pruningSteps.filter((macs) => {
    const trial = known.get(candidateId(hostInt8(hostTarget, side, macs)))
    return macs < 1 && trial?.kind === 'measured' && brokenBounds(budget, trial.figures).length === 0
  })
  const macs = boundsAccuracy(budget) ? allowed.at(-1) : allowed[0]
  return macs === undefined ? [] : [{ precision: 'fp32', side, macs }]
}
