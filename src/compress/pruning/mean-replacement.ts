/**
 * Mean replacement: the readers of a removed channel get its mean contribution into their bias.
 * Formula: b[o] += sum over removed c of mean(a_c) * sum over k of W[o,c,k]; exact for a constant channel, away from
 * padded borders.
 */

import { present } from '../../base/assert.js'
import type { Graph, ValueName } from '../../onnx/graph.js'
import type { Patch } from '../../onnx/patch.js'
import { elementCount, floatTensor, type Tensor } from '../../onnx/tensor.js'
import type { ActivationStatistics } from './activation-statistics.js'
import { type ChannelGroups, readingAxes } from './channel-groups.js'
import { removedPlaces, type RemovedGroups } from './index-mapping.js'

/** The patch of the unpruned graph that moves the means of `removed` into biases. */
export function replaceByMeans(
  graph: Graph,
  groups: ChannelGroups,
  removed: RemovedGroups,
  activations: ActivationStatistics,
): Patch {
  const initializers = new Map<ValueName, Tensor>()
  for (const axis of readingAxes(groups)) {
    const weight = present(graph.initializers.get(axis.initializer), axis.initializer)
    const biasName = axis.node.inputs[2] ?? ''
    const bias = graph.initializers.get(biasName)
    const statistics = activations.get(axis.node.inputs[0]!)
    const places = removedPlaces(axis.groups, removed)
    if (places.length === 0 || axis.axis !== 1 || statistics === undefined) continue
    if (weight.type !== 'float32' || bias?.type !== 'float32') continue
    const kernel = elementCount(weight.dims.slice(2))
    const columns = weight.dims[1]!
    const shifted = bias.data.slice()
    for (let output = 0; output < shifted.length; output++) {
      for (const place of places) {
        const start = (output * columns + place) * kernel
        for (let at = start; at < start + kernel; at++)
          shifted[output]! += weight.data[at]! * statistics.mean[place]!
      }
    }
    initializers.set(biasName, floatTensor(bias.dims, shifted))
  }
  return { initializers }
}
