/** From scores of single filters to one score a group, comparable inside a layer and between layers. */

import { AgentError } from '../../base/errors.js'
import type { ChannelGroups } from './channel-groups.js'
import type { PlaceScores } from './criteria/criterion.js'

/** How the scores of all places of a group become one. */
export type Aggregation = 'mean' | 'sum' | 'max' | 'product'
/** What the scores of a layer are divided by. */
export type Normalisation = 'none' | 'mean' | 'max' | 'norm'

/**
 * One score for each group.
 * @param aggregation over the places of the group; `product` is the geometric mean
 * @param normalisation by layer; without one, layers with large weights are never pruned in a global ranking
 */
export function groupScores(
  scores: PlaceScores,
  groups: ChannelGroups,
  aggregation: Aggregation,
  normalisation: Normalisation,
): Float64Array {
  const totals = new Float64Array(groups.count).fill(aggregation === 'max' ? -Infinity : 0)
  const members = new Int32Array(groups.count)
  for (const [axis, places] of scores) {
    axis.groups.forEach((group, place) => {
      if (group < 0) return
      const score = places[place]!
      if (!Number.isFinite(score) || score < 0) {
        throw new AgentError(
          'compress.plan_invalid',
          `the score of channel ${place} of ${axis.node.name} is ${score}, expected a number of at least 0`,
        )
      }
      members[group]!++
      totals[group] = combined(totals[group]!, score, aggregation)
    })
  }
  for (let group = 0; group < totals.length; group++) {
    if (members[group] === 0) totals[group] = 0
    else if (aggregation === 'mean') totals[group]! /= members[group]!
    else if (aggregation === 'product') totals[group] = Math.exp(totals[group]! / members[group]!)
  }
  for (const { groups: list } of groups.layers) normalise(totals, list, normalisation)
  return totals
}

function combined(total: number, score: number, aggregation: Aggregation): number {
  if (aggregation === 'max') return Math.max(total, score)
  return total + (aggregation === 'product' ? Math.log(Math.max(score, 1e-30)) : score)
}

function normalise(scores: Float64Array, groups: Int32Array, normalisation: Normalisation): void {
  if (normalisation === 'none') return
  let [sum, largest, squares] = [0, 0, 0]
  for (const group of groups) {
    sum += scores[group]!
    largest = Math.max(largest, scores[group]!)
    squares += scores[group]! ** 2
  }
  const by = { mean: sum / groups.length, max: largest, norm: Math.sqrt(squares) }[normalisation]
  if (by > 0) for (const group of groups) scores[group]! /= by
}
