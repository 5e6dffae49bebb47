/**
 * Computes in half precision: half the bytes, and what GPUs are fastest at.
 * Before:  images uint8 -> Cast(float32) -> network -> outputs float32
 * After:   images uint8 -> Cast(float16) -> network in float16 -> Cast(float32) -> outputs
 * Conditions: bytes in (edge form), no operators on integers. Scales of a Resize stay float32, as the operator wants them.
 */

import { intAttribute } from '../../onnx/attributes.js'
import { makeNode, type Graph, type Node, type ValueName } from '../../onnx/graph.js'
import { halfTensor } from '../../onnx/half-float.js'
import { elementTypes, type Tensor } from '../../onnx/tensor.js'
import type { Pass } from '../run-passes.js'

const single = elementTypes.float32.onnx
const half = elementTypes.float16.onnx

export const halfPrecision: Pass = {
  name: 'half-precision',
  patch: (graph) => {
    const initializers = halved(graph)
    if (initializers.length === 0) return undefined
    const outputs = new Map(graph.outputs.map(({ name }) => [name, `${name}/half`]))
    const casts = [...outputs].map(([name, from]) =>
      makeNode('Cast', `${name}/cast`, [from], [name], { attributes: { to: intAttribute(single) } }),
    )
    return {
      remove: graph.nodes,
      add: [...graph.nodes.map((node) => renamed(castingToHalf(node), outputs)), ...casts],
      initializers,
    }
  },
}

function halved(graph: Graph): readonly (readonly [ValueName, Tensor])[] {
  const geometry = new Set(
    graph.nodes.filter(({ opType }) => opType === 'Resize').flatMap(({ inputs }) => inputs.slice(1)),
  )
  return [...graph.initializers].flatMap(([name, tensor]) =>
    tensor.type === 'float32' && !geometry.has(name) ? [[name, halfTensor(tensor)] as const] : [],
  )
}

function castingToHalf(node: Node): Node {
  const to = node.attributes.get('to')
  if (node.opType !== 'Cast' || to?.kind !== 'int' || to.value !== single) return node
  return { ...node, attributes: new Map([...node.attributes, ['to', intAttribute(half)]]) }
}

function renamed(node: Node, names: ReadonlyMap<ValueName, ValueName>): Node {
  const of = (name: ValueName): ValueName => names.get(name) ?? name
  return { ...node, inputs: node.inputs.map(of), outputs: node.outputs.map(of) }
}
