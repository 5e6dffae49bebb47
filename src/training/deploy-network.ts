/**
 * From the network as it was trained to the network as it is deployed.
 * Invariant: weights go over by name; the deployed graph keeps everything else of its own.
 */

import { invariant } from '../base/assert.js'
import type { Graph, ValueName } from '../onnx/graph.js'
import type { Tensor } from '../onnx/tensor.js'
import { foldBatchNorm } from '../yolo/fold-batch-norm.js'

/** `template` with the weights of `trained`, batch norm folded; `template` has no batch norm. */
export function deployNetwork(trained: Graph, template: Graph): Graph {
  const folded = foldBatchNorm(trained)
  const initializers = new Map<ValueName, Tensor>(template.initializers)
  for (const [name, tensor] of folded.initializers) {
    const own = template.initializers.get(name)
    if (own?.type !== 'float32' || tensor.type !== 'float32') continue
    invariant(own.dims.join() === tensor.dims.join(), `${name} has the same shape in both networks`)
    initializers.set(name, tensor)
  }
  return { ...template, initializers }
}
