/**
 * Lets a model that takes and gives half floats take and give single floats; inside it stays as it is.
 * Before:  images float16 -> network -> output0 float16
 * After:   images float32 -> Cast(float16) -> network -> Cast(float32) -> output0 float32
 * Conditions: none. Exact: the network sees the same half floats, and every half float is a float.
 */

import { intAttribute } from '../../onnx/attributes.js'
import { makeNode, type Node, type ValueInfo, type ValueName } from '../../onnx/graph.js'
import { elementTypes } from '../../onnx/tensor.js'
import type { Pass } from '../run-passes.js'

export const floatEnds: Pass = {
  name: 'float-ends',
  patch: (graph) => {
    const inside = new Map(
      [...graph.inputs, ...graph.outputs]
        .filter(({ type }) => type === 'float16')
        .map(({ name }) => [name, `${name}/half`] as const),
    )
    if (inside.size === 0) return undefined
    const cast = (from: ValueName, to: ValueName, type: 'float16' | 'float32'): Node =>
      makeNode('Cast', `${to}/cast`, [from], [to], {
        attributes: { to: intAttribute(elementTypes[type].onnx) },
      })
    const isInput = new Set(graph.inputs.map(({ name }) => name))
    return {
      remove: graph.nodes,
      add: [
        ...graph.nodes.map((node) => renamed(node, inside)),
        ...[...inside].map(([name, own]) =>
          isInput.has(name) ? cast(name, own, 'float16') : cast(own, name, 'float32'),
        ),
      ],
      inputs: graph.inputs.map(inFloat),
      outputs: graph.outputs.map(inFloat),
    }
  },
}

function inFloat(value: ValueInfo): ValueInfo {
  return value.type === 'float16' ? { ...value, type: 'float32' } : value
}

function renamed(node: Node, names: ReadonlyMap<ValueName, ValueName>): Node {
  const of = (name: ValueName): ValueName => names.get(name) ?? name
  return { ...node, inputs: node.inputs.map(of), outputs: node.outputs.map(of) }
}
