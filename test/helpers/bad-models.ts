/** What goes wrong with models on their way to a fleet: made of a good one. Invariant: each is still a valid detector. */

import { seededRandom } from '../../src/base/random.js'
import { exportModel } from '../../src/onnx/export-model.js'
import { type Attribute, type Graph, makeNode, type Node } from '../../src/onnx/graph.js'
import type { Tensor } from '../../src/onnx/tensor.js'
import { findHead } from '../../src/yolo/find-head.js'

/** Every weight is there, each in another place of its tensor. */
export function withScrambledWeights(graph: Graph): Uint8Array {
  const random = seededRandom(1)
  const initializers = new Map<string, Tensor>(graph.initializers)
  for (const [name, tensor] of initializers) {
    if (tensor.type !== 'float32' || tensor.dims.length < 4) continue
    const data = tensor.data.slice()
    for (let at = data.length - 1; at > 0; at--) {
      const other = random.integer(at + 1)
      const value = data[at]!
      data[at] = data[other]!
      data[other] = value
    }
    initializers.set(name, { ...tensor, data })
  }
  return exportModel({ ...graph, initializers })
}

/** Finds the same boxes, and calls each by the name of the next class. */
export function withSwappedClasses(graph: Graph): Uint8Array {
  const initializers = new Map<string, Tensor>(graph.initializers)
  for (const { cls } of findHead(graph).levels) {
    for (const name of cls.node.inputs.slice(1)) {
      const tensor = initializers.get(name)
      if (tensor?.type !== 'float32') throw new TypeError(`${name} is no float constant`)
      const step = tensor.data.length / cls.channels
      const data = new Float32Array(tensor.data.length)
      data.set(tensor.data.subarray(0, -step), step)
      data.set(tensor.data.subarray(-step), 0)
      initializers.set(name, { ...tensor, data })
    }
  }
  return exportModel({ ...graph, initializers })
}

const floats = (dims: readonly number[], value: number): Tensor => ({
  type: 'float32',
  dims,
  data: new Float32Array(dims.reduce((product, dim) => product * dim, 1)).fill(value),
})
const ints = (values: readonly number[]): Attribute => ({ kind: 'ints', value: values })

/** Finds exactly the same, after `products` convolutions whose result is thrown away. */
export function withBurden(graph: Graph, products: number): Uint8Array {
  const [input] = graph.inputs
  if (input === undefined) throw new TypeError('the graph has no input')
  const channels = 64
  const initializers = new Map<string, Tensor>(graph.initializers)
  initializers.set('burden_first', floats([channels, 3, 3, 3], 0.01))
  initializers.set('burden_weights', floats([channels, channels, 3, 3], 0.001))
  initializers.set('burden_zero', floats([1], 0))
  const nodes: Node[] = Array.from({ length: products }, (_, index) =>
    makeNode(
      'Conv',
      `burden_conv_${index}`,
      [index === 0 ? input.name : `burden_${index - 1}`, index === 0 ? 'burden_first' : 'burden_weights'],
      [`burden_${index}`],
      { attributes: { pads: ints([1, 1, 1, 1]) } },
    ),
  )
  nodes.push(
    makeNode('GlobalAveragePool', 'burden_pool', [`burden_${products - 1}`], ['burden_pooled']),
    makeNode('ReduceMax', 'burden_max', ['burden_pooled'], ['burden_value']),
    makeNode('Mul', 'burden_mul', ['burden_value', 'burden_zero'], ['burden_nothing']),
    makeNode('Add', 'burden_add', [input.name, 'burden_nothing'], ['burdened_input']),
  )
  const rest = graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((name) => (name === input.name ? 'burdened_input' : name)),
  }))
  return exportModel({ ...graph, initializers, nodes: [...nodes, ...rest] })
}
