/**
 * Removes nodes that no output of the graph needs.
 * Before:  a -> b -> output;  a -> c
 * After:   a -> b -> output
 * Conditions: none. Exact.
 */

import { indexOf, type Node } from '../../onnx/graph.js'
import type { Pass } from '../run-passes.js'

export const eliminateDeadNodes: Pass = {
  name: 'eliminate-dead-nodes',
  patch: (graph) => {
    const { producerOf } = indexOf(graph)
    const needed = new Set<Node>()
    for (const { name } of graph.outputs) addProducer(name)
    for (const node of needed) node.inputs.forEach(addProducer)
    const dead = graph.nodes.filter((node) => !needed.has(node))
    return dead.length === 0 ? undefined : { remove: dead }

    function addProducer(value: string): void {
      const producer = producerOf(value)
      if (producer !== undefined) needed.add(producer)
    }
  },
}
