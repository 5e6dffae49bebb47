/**
 * From a detector that ends at its raw heads to the network that training runs.
 * Invariant: weights keep their names; what stands before the first convolution only prepares pixels and is left out.
 */

import { present } from '../base/assert.js'
import { AgentError } from '../base/errors.js'
import type { Graph, Node, ValueInfo, ValueName } from '../onnx/graph.js'
import { shapesOf } from '../onnx/shapes/infer-shapes.js'
import { type FloatTensor, int64Tensor, type Tensor } from '../onnx/tensor.js'
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
  const isPixels = (node: Node): boolean => node.outputs.includes(first)
  const reshapes = batchedReshapes(graph, batch)
  const network = pruned({
    ...graph,
    inputs: [{ name: first, type: 'float32', shape: [batch, 3, inputHeight, inputWidth] }],
    outputs: graph.outputs.map((output) => ({ ...output, shape: withBatch(output.shape) })),
    nodes: graph.nodes.filter((node) => !isPixels(node)).map((node) => reshapes.get(node)?.node ?? node),
    initializers: new Map([
      ...graph.initializers,
      ...[...reshapes.values()].map(({ shape }) => [shape.name, shape.tensor] as const),
    ]),
    carried: undefined,
  })
  const shapes = shapesOf(network)
  const features = shown.map((name): ValueInfo => {
    const dims = present(shapes.staticShapeOf(name), `${name} has a fixed shape`)
    return { name, type: 'float32', shape: dims }
  })
  return { ...network, outputs: [...network.outputs, ...features] }
}

interface BatchedReshape {
  readonly node: Node
  readonly shape: { readonly name: ValueName; readonly tensor: Tensor }
}

/**
 * The Reshapes of `graph`, which is for one picture, that write down their first dimension, for `batch` pictures: attention blocks do.
 * The pictures are the slowest axis of every value, so that this dimension alone grows with them.
 */
function batchedReshapes(graph: Graph, batch: number): ReadonlyMap<Node, BatchedReshape> {
  const found = new Map<Node, BatchedReshape>()
  for (const node of graph.nodes) {
    if (node.opType !== 'Reshape' || batch === 1) continue
    const written = graph.initializers.get(node.inputs[1] ?? '')
    const [first, ...rest] = Array.from(written?.data ?? [], Number)
    if (written === undefined || first === undefined || first < 1) continue
    const name = `${node.name}/shape of ${batch}`
    const tensor = int64Tensor(written.dims, [first * batch, ...rest])
    found.set(node, { node: { ...node, inputs: [node.inputs[0]!, name] }, shape: { name, tensor } })
  }
  return found
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
