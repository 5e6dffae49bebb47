/**
 * From a detector that ends at its raw heads to the network that training runs.
 * Invariant: weights keep their names; what stands before the first convolution only prepares pixels and is left out.
 */

import { present } from '../base/assert.js'
import { AgentError } from '../base/errors.js'
import type { Graph, ValueInfo, ValueName } from '../onnx/graph.js'
import { shapesOf } from '../onnx/shapes/infer-shapes.js'
import type { FloatTensor } from '../onnx/tensor.js'
import { pruned } from './gradient/differentiate.js'
import type { HeadShape } from './loss/head-batch.js'
import type { Projection } from './trainer.js'

/**
 * `graph` (edge form, or raw heads on a float input) for `shape.batch` pictures `[N, 3, H, W]` of 0..1, with the inner values `shown` as
 * outputs behind its own. Throws `model.op_unsupported`.
 */
export function floatNetwork(graph: Graph, shape: HeadShape, shown: readonly ValueName[] = []): Graph {
  const { batch, inputWidth, inputHeight } = shape
  const first = graph.nodes.find((node) => node.opType === 'Conv')?.inputs[0]
  if (first === undefined) {
    throw new AgentError('model.op_unsupported', 'cannot train the model: it has no convolution in float')
  }
  const withBatch = (dims: Graph['outputs'][number]['shape']): Graph['outputs'][number]['shape'] => [
    batch,
    ...dims.slice(1),
  ]
  const isPixels = (node: Graph['nodes'][number]): boolean => node.outputs.includes(first)
  const network = pruned({
    ...graph,
    inputs: [{ name: first, type: 'float32', shape: [batch, 3, inputHeight, inputWidth] }],
    outputs: graph.outputs.map((output) => ({ ...output, shape: withBatch(output.shape) })),
    nodes: graph.nodes.filter((node) => !isPixels(node)),
    carried: undefined,
  })
  const shapes = shapesOf(network)
  const features = shown.map((name): ValueInfo => {
    const dims = present(shapes.staticShapeOf(name), `${name} has a fixed shape`)
    return { name, type: 'float32', shape: dims }
  })
  return { ...network, outputs: [...network.outputs, ...features] }
}

/** A tensor with this share of zeros was made sparse; fewer are chance. */
const sparseShare = 0.05

/** Keeps the zeros of sparse weights zero while the others are trained. */
export function keepZeros(graph: Graph): Projection {
  const masks = new Map<ValueName, Uint32Array>()
  for (const [name, tensor] of graph.initializers) {
    if (tensor.type !== 'float32' || tensor.dims.length < 2) continue
    const places = zeroPlaces(tensor)
    if (places.length > sparseShare * tensor.data.length) masks.set(name, places)
  }
  return (weights) => {
    for (const [name, places] of masks) {
      const values = weights.get(name)
      if (values !== undefined) for (const at of places) values[at] = 0
    }
  }
}

function zeroPlaces({ data }: FloatTensor): Uint32Array {
  const places: number[] = []
  data.forEach((value, at) => {
    if (value === 0) places.push(at)
  })
  return Uint32Array.from(places)
}
