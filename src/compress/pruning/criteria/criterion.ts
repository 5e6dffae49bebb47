/**
 * What a pruning criterion is: it gives every place of some axes a score; the larger, the more the channel matters.
 * Invariant: scores are finite and not negative.
 */

import type { Graph } from '../../../onnx/graph.js'
import type { ChannelGroups, GroupedAxis } from '../channel-groups.js'
import type { InputMoments } from '../../restoration/input-moments.js'
import type { ActivationStatistics } from '../activation-statistics.js'

/** Names of the criteria, as plans and commands spell them. */
export const criterionNames = ['l1', 'l2', 'activation', 'gradient', 'reconstruction', 'random'] as const

/** What a criterion may look at. A criterion that misses its data throws `compress.plan_invalid`. */
export interface CriterionInput {
  readonly graph: Graph
  readonly groups: ChannelGroups
  /** Activations of the unpruned graph over the calibration samples. */
  readonly activations?: ActivationStatistics
  /** Second moments of what the convolutions of the unpruned graph read. */
  readonly moments?: InputMoments
  /** How much the loss of the samples depends on each filter. */
  readonly filterEffects?: PlaceScores
  readonly seed: number
}

/** Scores by axis: one number for each place. Axes that the criterion does not look at are absent. */
export type PlaceScores = ReadonlyMap<GroupedAxis, Float64Array>

export type Criterion = (input: CriterionInput) => PlaceScores
