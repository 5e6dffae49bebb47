/** Criteria on the weights alone: L1 and L2 norm of each filter that makes a channel. */

import { present } from '../../../base/assert.js'
import { AgentError } from '../../../base/errors.js'
import { elementCount, type FloatTensor } from '../../../onnx/tensor.js'
import type { Graph } from '../../../onnx/graph.js'
import { type GroupedAxis, isFilterAxis } from '../channel-groups.js'
import type { Criterion, CriterionInput, PlaceScores } from './criterion.js'

/** Sum of |w| over each filter (Li et al. 2017, "Pruning filters for efficient convnets"). */
export const l1Norm: Criterion = (input) => perFilter(input, sumPlaces(Math.abs))

/** Square root of the sum of w^2 over each filter. */
export const l2Norm: Criterion = (input) => {
  const sums = sumPlaces((weight) => weight * weight)
  return perFilter(input, (tensor, axis) => sums(tensor, axis).map(Math.sqrt))
}

function sumPlaces(of: (weight: number) => number): (tensor: FloatTensor, axis: number) => Float64Array {
  return (tensor, axis) => sumOver(tensor, axis, (index) => of(tensor.data[index]!))
}

/** Sums `of(element index)` over all elements that share a place of `axis`. */
export function sumOver(
  tensor: { readonly dims: readonly number[] },
  axis: number,
  of: (index: number) => number,
): Float64Array {
  const size = tensor.dims[axis]!
  const inner = elementCount(tensor.dims.slice(axis + 1))
  const sums = new Float64Array(size)
  const total = elementCount(tensor.dims)
  for (let start = 0, place = 0; start < total; start += inner, place = (place + 1) % size) {
    let sum = 0
    for (let index = start; index < start + inner; index++) sum += of(index)
    sums[place]! += sum
  }
  return sums
}

/** The float weight behind an axis. Throws `model.quantized_already` where it is not float. */
export function floatWeight(graph: Graph, axis: GroupedAxis): FloatTensor {
  const tensor = present(graph.initializers.get(axis.initializer), axis.initializer)
  if (tensor.type === 'float32') return tensor
  throw new AgentError(
    'model.quantized_already',
    `scoring the channels of ${axis.node.name} needs float32 weights, but ${axis.initializer} is ${tensor.type}`,
    { hint: 'Prune the float model first and quantise the result.' },
  )
}

function perFilter(
  { graph, groups }: CriterionInput,
  score: (tensor: FloatTensor, axis: number) => Float64Array,
): PlaceScores {
  const scores = new Map<GroupedAxis, Float64Array>()
  for (const axis of groups.axes) {
    if (isFilterAxis(axis) || axis.role === 'consumes')
      scores.set(axis, score(floatWeight(graph, axis), axis.axis))
  }
  return scores
}
