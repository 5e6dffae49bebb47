/** The control: scores drawn from a seed. A criterion that does not beat this one measures nothing. */

import { seededRandom } from '../../../base/random.js'
import { type GroupedAxis, isFilterAxis } from '../channel-groups.js'
import type { Criterion } from './criterion.js'

/** Uniform scores in [0, 1); the same seed gives the same pruning. */
export const randomScore: Criterion = ({ groups, seed }) => {
  const random = seededRandom(seed)
  const scores = new Map<GroupedAxis, Float64Array>()
  for (const axis of groups.axes) {
    if (isFilterAxis(axis))
      scores.set(
        axis,
        Float64Array.from(axis.groups, () => random.next()),
      )
  }
  return scores
}
