/**
 * Replaces what a graph computes about its own shapes by the result.
 * Before:  x -> Shape -> Gather, Mul, Concat, ... -> sizes of Resize, Reshape, Slice
 * After:   a constant -> sizes of Resize, Reshape, Slice
 * Conditions: shape inference is certain of every element: integers of rank 0 or 1. Exact.
 */

import type { Graph, Node, ValueName } from '../../onnx/graph.js'
import { shapesOf } from '../../onnx/shapes/infer-shapes.js'
import { int64Tensor, type Tensor } from '../../onnx/tensor.js'
import type { Pass } from '../run-passes.js'

export const foldConstants: Pass = {
  name: 'fold-constants',
  patch: (graph) => {
    const folded = new Map<Node, readonly (readonly [ValueName, Tensor])[]>()
    for (const node of graph.nodes) {
      const constants = constantsOf(graph, node)
      if (constants !== undefined) folded.set(node, constants)
    }
    if (folded.size === 0) return undefined
    return { remove: folded.keys(), initializers: [...folded.values()].flat() }
  },
}

/** The outputs of `node` as tensors, where all of them are known and none is an output of the graph. */
function constantsOf(graph: Graph, node: Node): readonly (readonly [ValueName, Tensor])[] | undefined {
  const outputs = new Set(graph.outputs.map(({ name }) => name))
  const constants: (readonly [ValueName, Tensor])[] = []
  for (const name of node.outputs.filter((each) => each !== '')) {
    const tensor = outputs.has(name) ? undefined : tensorOf(graph, name)
    if (tensor === undefined) return undefined
    constants.push([name, tensor])
  }
  return constants.length === 0 ? undefined : constants
}

function tensorOf(graph: Graph, name: ValueName): Tensor | undefined {
  const shapes = shapesOf(graph)
  const type = shapes.typeOf(name)
  const dims = shapes.staticShapeOf(name)
  const elements = type?.elements?.filter((element) => typeof element === 'number')
  if (dims === undefined || elements === undefined || elements.length !== type?.elements?.length)
    return undefined
  if (type.type === 'int64') return int64Tensor(dims, elements)
  return type.type === 'int32' ? { type: 'int32', dims, data: Int32Array.from(elements) } : undefined
}
