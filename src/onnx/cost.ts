/**
 * What a graph costs: multiply-accumulates, parameters and bytes by node.
 * Invariant: only operators of the table count as arithmetic; the rest moves memory. Work that depends on the data counts as
 * much as it can be.
 */

import { intOf, intsOf } from './attributes.js'
import type { Graph, Node } from './graph.js'
import { operatorDomain } from './opset.js'
import { largestShapesOf, type Shapes, shapesOf } from './shapes/infer-shapes.js'
import { elementCount } from './tensor.js'

export interface NodeCost {
  readonly node: Node
  /** Multiply-accumulates; 0 for operators that do none, undefined where a shape is unknown. */
  readonly macs: number | undefined
  /** Elements of weights and biases. */
  readonly parameters: number
  readonly parameterBytes: number
  /** Elements of the first output; undefined where the shape is unknown. */
  readonly outputElements: number | undefined
}

export interface GraphCost {
  readonly nodes: readonly NodeCost[]
  /** Undefined where a counting node has an unknown shape, as in a graph with a free input size. */
  readonly macs: number | undefined
  /** Whether some of them depend on the data, so that `macs` is the most there can be. */
  readonly isAtMost: boolean
  readonly parameters: number
  /** Bytes of all initializers, constants of the tail included. */
  readonly initializerBytes: number
  /** Number of nodes by operator, most frequent first. */
  readonly census: ReadonlyMap<string, number>
}

/** Position of the weights among the inputs of operators with parameters; the bias is counted with them. */
const weightInputs: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  Convolution: [0, 1],
  ConvTranspose: [1, 2],
  ConvInteger: [1],
  FusedConv: [1, 2],
  Gemm: [1, 2],
  MatMul: [1],
  MatMulInteger: [1],
  QLinearConv: [3, 8],
  QLinearMatMul: [3],
  BatchNormalization: [1, 2, 3, 4],
  InstanceNormalization: [1, 2],
  PRelu: [1],
}

/** Costs of `graph`. A weight behind a DequantizeLinear counts for the node that uses it; a shared one counts once. */
export function costOf(graph: Graph): GraphCost {
  const shapes = largestShapesOf(graph)
  const counted = new Set<string>()
  const dequantized = new Map(
    graph.nodes
      .filter((node) => node.opType === 'DequantizeLinear')
      .map((node) => [node.outputs[0] ?? '', node.inputs[0] ?? '']),
  )
  const nodes = graph.nodes.map((node): NodeCost => {
    let parameters = 0
    let parameterBytes = 0
    for (const input of weightInputs[node.opType] ?? []) {
      const value = node.inputs[input] ?? ''
      const name = dequantized.get(value) ?? value
      const tensor = graph.initializers.get(name)
      if (tensor === undefined || counted.has(name)) continue
      counted.add(name)
      parameters += tensor.data.length
      parameterBytes += tensor.data.byteLength
    }
    const output = shapes.staticShapeOf(node.outputs[0] ?? '')
    const outputElements = output === undefined ? undefined : elementCount(output)
    return {
      node,
      macs:
        node.domain === operatorDomain
          ? fusedMacs(node, outputElements)
          : macsOf(shapes, node, outputElements),
      parameters,
      parameterBytes,
      outputElements,
    }
  })
  const census = new Map<string, number>()
  for (const { opType } of graph.nodes) census.set(opType, (census.get(opType) ?? 0) + 1)
  return {
    nodes,
    macs: nodes.reduce<number | undefined>(
      (sum, { macs }) => (sum === undefined || macs === undefined ? undefined : sum + macs),
      0,
    ),
    isAtMost: nodes.some(
      ({ node, macs = 0 }) => macs > 0 && shapesOf(graph).staticShapeOf(node.outputs[0] ?? '') === undefined,
    ),
    parameters: nodes.reduce((sum, node) => sum + node.parameters, 0),
    initializerBytes: [...graph.initializers.values()].reduce(
      (sum, tensor) => sum + tensor.data.byteLength,
      0,
    ),
    census: new Map([...census].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))),
  }
}

/** Each output element of a convolution or product is one sum over the elements of one filter. */
function macsOf(shapes: Shapes, node: Node, outputElements: number | undefined): number | undefined {
  const shapeOf = (index: number): readonly number[] | undefined =>
    shapes.staticShapeOf(node.inputs[index] ?? '')
  switch (node.opType) {
    case 'Conv':
    case 'ConvInteger':
    case 'FusedConv':
      return timesAll(outputElements, shapeOf(1)?.slice(1))
    case 'QLinearConv':
      return timesAll(outputElements, shapeOf(3)?.slice(1))
    case 'ConvTranspose': {
      const data = shapeOf(0)
      return timesAll(data === undefined ? undefined : elementCount(data), shapeOf(1)?.slice(1))
    }
    case 'MatMul':
    case 'MatMulInteger':
    case 'QLinearMatMul':
      return timesAll(outputElements, shapeOf(0)?.slice(-1))
    case 'Gemm':
      return timesAll(
        outputElements,
        shapeOf(0)
          ?.slice(intOf(node, 'transA', 0) === 1 ? 0 : 1)
          .slice(0, 1),
      )
    default:
      return 0
  }
}

/** Of `Convolution` of our own domain, which says its size in attributes: its weights are packed. */
function fusedMacs(node: Node, outputElements: number | undefined): number | undefined {
  const [, rows = 0, columns = 0] = intsOf(node, 'geometry') ?? []
  // Three numbers an input: start, count, width.
  const counts = (intsOf(node, 'channels') ?? []).filter((_, at) => at % 3 === 1)
  return timesAll(outputElements, [rows, columns, counts.reduce((sum, count) => sum + count, 0)])
}

function timesAll(count: number | undefined, dims: readonly number[] | undefined): number | undefined {
  return count === undefined || dims === undefined ? undefined : count * elementCount(dims)
}
