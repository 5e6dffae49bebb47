/**
 * Ends the graph at the six last convolutions of the head.
 * Before:  ... -> six convolutions -> Concat, DFL, anchors, sigmoid -> [1,4+nc,N]
 * After:   ... -> six convolutions -> p3_box, p3_cls, ..., p5_cls: raw logits
 * Conditions: a YOLOv8 detection head and an input of known size. Exact: what was cut is done in yolo/decode.
 */

import { indexOf, type Node } from '../../onnx/graph.js'
import { findHead } from '../../yolo/find-head.js'
import { describeModel, requireRawHeads } from '../../yolo/model-description.js'
import type { Pass } from '../run-passes.js'

export const cutTail: Pass = {
  name: 'cut-tail',
  patch: (graph) => {
    const description = describeModel(graph)
    if (description.output.kind === 'heads') return undefined
    requireRawHeads(description)
    const { inputWidth, inputHeight } = description
    const renamed = new Map<Node, string>()
    const outputs = findHead(graph).levels.flatMap((level) =>
      [
        { branch: level.box, name: `p${Math.log2(level.stride)}_box` },
        { branch: level.cls, name: `p${Math.log2(level.stride)}_cls` },
      ].map(({ branch, name }) => {
        renamed.set(branch.node, name)
        const shape = [1, branch.channels, inputHeight / level.stride, inputWidth / level.stride]
        return { name, type: 'float32' as const, shape }
      }),
    )
    // What is left without a way to an output goes with the tail.
    const needed = new Set<Node>(renamed.keys())
    const { producerOf } = indexOf(graph)
    for (const node of needed) {
      for (const input of node.inputs) {
        const producer = producerOf(input)
        if (producer !== undefined) needed.add(producer)
      }
    }
    const gone = graph.nodes.filter((node) => !needed.has(node) || renamed.has(node))
    const heads = [...renamed].map(([node, name]) => ({ ...node, outputs: [name] }))
    return { remove: gone, add: heads, outputs }
  },
}
