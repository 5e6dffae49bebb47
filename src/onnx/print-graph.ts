/**
 * A graph as text, one line a node: for people, and for tests that compare graphs.
 * Invariant: the text depends only on what the graph computes and how its values are called, not on weights' contents.
 */

import type { Attribute, Dim, Graph, Node, ValueName } from './graph.js'
import type { ElementType, Tensor } from './tensor.js'

/** Lists longer than this are cut. */
const listMax = 8

/**
 * One line per input, node and output:
 * `images: float32[1,3,640,640]`, `c = Conv(images, w: float32[16,3,3,3], b: float32[16]) {strides=[2,2]}`.
 * Small constants are printed by value.
 */
export function printGraph(graph: Graph): string {
  const lines = [
    ...graph.inputs.map((input) => `input ${input.name}: ${typeText(input.type, input.shape)}`),
    ...graph.nodes.map((node) => printNode(graph, node)),
    ...graph.outputs.map((output) => `output ${output.name}: ${typeText(output.type, output.shape)}`),
  ]
  return `${lines.join('\n')}\n`
}

/** One node of `graph` on one line. */
export function printNode(graph: Graph, node: Node): string {
  const operator = node.domain === '' ? node.opType : `${node.domain}:${node.opType}`
  const inputs = node.inputs.map((input) => printInput(graph, input)).join(', ')
  const attributes = [...node.attributes]
    .map(([name, attribute]) => `${name}=${attributeText(attribute)}`)
    .sort()
  const suffix = attributes.length === 0 ? '' : ` {${attributes.join(', ')}}`
  return `${node.outputs.join(', ')} = ${operator}(${inputs})${suffix}`
}

function printInput(graph: Graph, name: ValueName): string {
  const tensor = graph.initializers.get(name)
  if (tensor === undefined) return name === '' ? '_' : name
  return tensor.data.length <= listMax && tensor.dims.length <= 1
    ? valueText(tensor)
    : `${name}: ${typeText(tensor.type, tensor.dims)}`
}

function valueText(tensor: Tensor): string {
  const elements = Array.from<bigint | number, string>(tensor.data, numberText)
  const text = tensor.dims.length === 0 ? (elements[0] ?? '') : `[${elements.join(',')}]`
  return `${tensor.type}(${text})`
}

function typeText(type: ElementType, shape: readonly Dim[]): string {
  return `${type}[${shape.map((dim) => dim ?? '?').join(',')}]`
}

function attributeText(attribute: Attribute): string {
  switch (attribute.kind) {
    case 'int':
    case 'float':
      return numberText(attribute.value)
    case 'string':
      return JSON.stringify(attribute.value)
    case 'ints':
    case 'floats':
      return listText(attribute.value.map(numberText))
    case 'strings':
      return listText(attribute.value.map((text) => JSON.stringify(text)))
    case 'tensor':
      return attribute.value.data.length <= listMax
        ? valueText(attribute.value)
        : typeText(attribute.value.type, attribute.value.dims)
    case 'opaque':
      return `${attribute.bytes.byteLength} bytes`
  }
}

function listText(items: readonly string[]): string {
  return items.length <= listMax
    ? `[${items.join(',')}]`
    : `[${items.slice(0, listMax).join(',')},...${items.length}]`
}

/** Floats with six significant digits: what float32 distinguishes. */
function numberText(value: number | bigint): string {
  if (typeof value === 'bigint' || Number.isInteger(value)) return String(value)
  return String(Number(value.toPrecision(6)))
}
