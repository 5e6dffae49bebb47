/**
 * Computes a half-precision export in single precision, so that everything behind it meets one kind of float.
 * Before:  images -> Cast(float16) -> network in float16 -> Cast(float32) -> outputs
 * After:   images -> network in float32 -> outputs; inputs and outputs in float16 are float32 as well
 * Conditions: none. Every weight keeps its value exactly: each half float is a float. Activations are no longer rounded to half
 * floats between operators, which ONNX Runtime does on processors at some operators and not at others.
 */

import { intAttribute } from '../../onnx/attributes.js'
import type { Attribute, Graph, Node, ValueInfo } from '../../onnx/graph.js'
import { floatTensorOf } from '../../onnx/half-float.js'
import { shapesOf } from '../../onnx/shapes/infer-shapes.js'
import { elementTypes, type Tensor } from '../../onnx/tensor.js'
import type { Pass } from '../run-passes.js'

const single = elementTypes.float32.onnx
const half = elementTypes.float16.onnx

export const singlePrecision: Pass = {
  name: 'single-precision',
  patch: (graph) => {
    const initializers = [...graph.initializers].flatMap(([name, tensor]) =>
      tensor.type === 'float16' ? [[name, floatTensorOf(tensor)] as const] : [],
    )
    const changed = graph.nodes.flatMap((node) => {
      const next = inSingle(graph, node)
      return next === node ? [] : [[node, next] as const]
    })
    const isHalf = [...graph.inputs, ...graph.outputs].some(({ type }) => type === 'float16')
    if (initializers.length === 0 && changed.length === 0 && !isHalf) return undefined
    return {
      remove: changed.map(([node]) => node),
      add: changed.map(([, next]) => next),
      initializers,
      inputs: graph.inputs.map(valueInSingle),
      outputs: graph.outputs.map(valueInSingle),
    }
  },
}

function valueInSingle(value: ValueInfo): ValueInfo {
  return value.type === 'float16' ? { ...value, type: 'float32' } : value
}

/** `node` without half floats; the node itself where it has nothing to do with them. */
function inSingle(graph: Graph, node: Node): Node {
  if (node.opType === 'Cast' && node.domain === '') return castInSingle(graph, node)
  const attributes = [...node.attributes].map(
    ([name, attribute]) => [name, attributeInSingle(attribute)] as const,
  )
  const isSame = attributes.every(([name, attribute]) => node.attributes.get(name) === attribute)
  return isSame ? node : { ...node, attributes: new Map(attributes) }
}

/** A cast between half and single floats hands on what it gets; one of bytes to half floats makes single floats. */
function castInSingle(graph: Graph, node: Node): Node {
  const to = node.attributes.get('to')
  if (to?.kind !== 'int' || (to.value !== half && to.value !== single)) return node
  const from = shapesOf(graph).typeOf(node.inputs[0] ?? '')?.type
  const isIdentity = from === 'float16' || (from === 'float32' && to.value === half)
  if (isIdentity) return { ...node, opType: 'Identity', attributes: new Map() }
  return to.value === half ? { ...node, attributes: new Map([['to', intAttribute(single)]]) } : node
}

function attributeInSingle(attribute: Attribute): Attribute {
  if (attribute.kind !== 'tensor' || attribute.value.type !== 'float16') return attribute
  const value: Tensor = floatTensorOf(attribute.value)
  return { kind: 'tensor', value }
}
