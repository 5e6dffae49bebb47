/**
 * Removes nodes that hand on what they get.
 * Before:  x -> Identity (or Dropout, or a Transpose that moves nothing) -> users
 * After:   x -> users
 * Conditions: the result is not an output of the graph. Exact.
 */

import { intsOf } from '../../onnx/attributes.js'
import { type Graph, indexOf, type Node } from '../../onnx/graph.js'
import type { Pass } from '../run-passes.js'

export const eliminateIdentity: Pass = {
  name: 'eliminate-identity',
  patch: (graph) => {
    const { isOutput } = indexOf(graph)
    const gone = graph.nodes.filter((node) => handsOn(graph, node) && !node.outputs.some(isOutput))
    if (gone.length === 0) return undefined
    const source = new Map(gone.map((node) => [node.outputs[0]!, node.inputs[0]!]))
    const rewire = new Map<string, string>()
    for (const output of source.keys()) {
      // A chain of them ends at what the first one reads.
      let origin = output
      for (let next = source.get(origin); next !== undefined; next = source.get(origin)) origin = next
      rewire.set(output, origin)
    }
    return { remove: gone, rewire }
  },
}

function handsOn(graph: Graph, node: Node): boolean {
  if (node.domain !== '') return false
  switch (node.opType) {
    case 'Identity':
      return true
    case 'Dropout':
      // The mask has a meaning only where somebody reads it.
      return node.outputs.slice(1).every((mask) => indexOf(graph).usersOf(mask).length === 0)
    case 'Transpose':
      return intsOf(node, 'perm')?.every((axis, index) => axis === index) ?? false
    default:
      return false
  }
}
