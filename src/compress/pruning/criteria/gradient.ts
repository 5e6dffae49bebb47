/**
 * First-order Taylor: how much the loss would change if the filter were zero, sample by sample: |sum of g * w| over the
 * filter, summed over samples (Molchanov et al. 2017, "Pruning convolutional neural networks for resource efficient
 * inference"). Inside a sample the weights of a filter go together, so their shares cancel; between samples they do not.
 */

import { AgentError } from '../../../base/errors.js'
import type { Graph, ValueName } from '../../../onnx/graph.js'
import { type ChannelGroups, type GroupedAxis, isFilterAxis } from '../channel-groups.js'
import type { Criterion, PlaceScores } from './criterion.js'
import { floatWeight, sumOver } from './weight-norm.js'

export const gradientTaylor: Criterion = ({ filterEffects }) => {
  if (filterEffects !== undefined) return filterEffects
  throw new AgentError(
    'compress.plan_invalid',
    'the gradient criterion needs the gradients of the weights, and none were given',
    { hint: 'Give calibration images, or choose the criterion l1 or reconstruction.' },
  )
}

/** Adds up what the loss of each sample depends on the filters of a graph. */
export class FilterEffects {
  readonly #graph: Graph
  readonly #sums: Map<GroupedAxis, Float64Array>

  constructor(graph: Graph, groups: ChannelGroups) {
    this.#graph = graph
    this.#sums = new Map(
      groups.axes.filter(isFilterAxis).map((axis) => [axis, new Float64Array(axis.groups.length)]),
    )
  }

  /** The weights whose gradients are looked at. */
  get weights(): readonly ValueName[] {
    return [...this.#sums.keys()].map((axis) => axis.initializer)
  }

  get sums(): PlaceScores {
    return this.#sums
  }

  /** Adds one sample. Throws `compress.plan_invalid` for gradients of another size than the weights. */
  add(gradients: ReadonlyMap<ValueName, Float32Array>): void {
    for (const [axis, sums] of this.#sums) {
      const weight = floatWeight(this.#graph, axis)
      const gradient = gradients.get(axis.initializer)
      if (gradient?.length !== weight.data.length) {
        throw new AgentError(
          'compress.plan_invalid',
          `the gradient criterion has ${gradient?.length ?? 0} gradients for ${axis.initializer}, expected ${weight.data.length}`,
        )
      }
      const effects = sumOver(weight, axis.axis, (index) => weight.data[index]! * gradient[index]!)
      effects.forEach((effect, place) => (sums[place]! += Math.abs(effect)))
    }
  }
}
