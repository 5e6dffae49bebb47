/**
 * Search for an allocation whose cuts do least together: damages of single layers do not add up, so the one that takes their sum for
 * the whole is only where the search begins. Evolution strategy (1+1): a trial changes what the damages of a few layers are multiplied
 * by, allocates anew, and stays where it is better.
 * Invariant: the result is never worse than the start, and depends on the seed alone.
 */

import { seededRandom } from '../../base/random.js'

export interface AllocationSearch {
  /** How many channels each layer keeps when damages are multiplied by `factors`, one for each layer. */
  readonly allocate: (factors: readonly number[]) => readonly number[]
  /** What an allocation does as a whole. */
  readonly damageOf: (kept: readonly number[]) => Promise<number>
  /** Allocations that are tried besides the first. */
  readonly trials: number
  readonly seed: number
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

/** Part of the layers whose factor changes in a trial, and the spread of the change (of the logarithm). */
const changedPart = 0.15
const spread = 0.5
/** Changes in a row that lead to no new allocation, after which there is likely none. */
const patience = 200

/** The best allocation found for a number of `layers`. */
export async function searchAllocation(
  layers: number,
  { allocate, damageOf, trials, seed, onProgress = () => undefined }: AllocationSearch,
): Promise<readonly number[]> {
  const random = seededRandom(seed)
  let factors: readonly number[] = new Array<number>(layers).fill(1)
  let best = allocate(factors)
  if (trials === 0) return best
  let least = await damageOf(best)
  const seen = new Set([best.join()])
  for (let trial = 0, idle = 0; trial < trials && idle < patience;) {
    const changed = factors.map((factor) =>
      random.next() < changedPart ? factor * Math.exp(spread * random.normal()) : factor,
    )
    const kept = allocate(changed)
    if (seen.has(kept.join())) {
      idle++
      continue
    }
    idle = 0
    seen.add(kept.join())
    const damage = await damageOf(kept)
    onProgress(++trial, trials)
    if (damage >= least) continue
    factors = changed
    best = kept
    least = damage
  }
  return best
}
