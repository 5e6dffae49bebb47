/** Criteria on the weights alone: L1 and L2 norm of the weights that read a channel, or of the filter that makes it. */

import { present } from '../../../base/assert.js'
import { AgentError } from '../../../base/errors.js'
import { elementCount, type FloatTensor } from '../../../onnx/tensor.js'
import type { Graph } from '../../../onnx/graph.js'
import { type GroupedAxis, isFilterAxis, readingAxes } from '../channel-groups.js'
import type { Criterion } from './criterion.js'

/**
 * Whose weights count. `filters` is the criterion of Li et al. 2017 ("Pruning filters for efficient convnets"); it supposes that a large
 * filter makes a loud channel, which batch norm undoes: folded into the convolution, it makes the filters of quiet channels large.
 * What reads a channel is not rescaled, so `readers` tells how much it counts.
 */
export type NormedWeights = 'readers' | 'filters'

/** Sum of |w|. */
export function l1Norm(weights: NormedWeights): Criterion {
  return norms(weights, sumPlaces(Math.abs))
}

/** Square root of the sum of w^2. */
export function l2Norm(weights: NormedWeights): Criterion {
  const sums = sumPlaces((weight) => weight * weight)
  return norms(weights, (tensor, axis) => sums(tensor, axis).map(Math.sqrt))
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

function norms(
  weights: NormedWeights,
  score: (tensor: FloatTensor, axis: number) => Float64Array,
): Criterion {
  return ({ graph, groups }) => {
    const axes = weights === 'readers' ? readingAxes(groups) : groups.axes.filter(isFilterAxis)
    return new Map(axes.map((axis) => [axis, score(floatWeight(graph, axis), axis.axis)]))
  }
}
