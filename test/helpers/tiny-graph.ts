/** Small graphs for tests, written node by node. Invariant: a graph made here passes check-graph. */

import { requireValidGraph } from '../../src/onnx/check-graph.js'
import { type Attribute, type Graph, makeNode, type Node, type ValueInfo } from '../../src/onnx/graph.js'
import type { Tensor } from '../../src/onnx/tensor.js'

/** A node whose name is its first output. */
export function op(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, number | string | readonly number[] | Attribute>> = {},
): Node {
  return makeNode(opType, outputs[0] ?? opType, inputs, outputs, {
    attributes: Object.fromEntries(
      Object.entries(attributes).map(([name, value]) => [name, attributeOf(value)]),
    ),
  })
}

function attributeOf(value: number | string | readonly number[] | Attribute): Attribute {
  if (typeof value === 'number') return { kind: 'int', value }
  if (typeof value === 'string') return { kind: 'string', value }
  return 'kind' in value ? value : { kind: 'ints', value }
}

/** A float32 value. */
export function value(name: string, ...shape: readonly (number | string)[]): ValueInfo {
  return { name, type: 'float32', shape }
}

/** A graph of operator set 17 unless said otherwise. */
export function tinyGraph(parts: {
  readonly inputs: readonly ValueInfo[]
  readonly nodes: readonly Node[]
  readonly outputs: readonly ValueInfo[]
  readonly initializers?: Readonly<Record<string, Tensor>>
  readonly opset?: number
}): Graph {
  const graph: Graph = {
    name: 'tiny',
    irVersion: 8,
    opsets: new Map([
      ['', parts.opset ?? 17],
      ['com.microsoft', 1],
    ]),
    inputs: parts.inputs,
    outputs: parts.outputs,
    nodes: parts.nodes,
    initializers: new Map(Object.entries(parts.initializers ?? {})),
    metadata: new Map(),
    carried: undefined,
  }
  requireValidGraph(graph)
  return graph
}

/** Deterministic values in -1..1. */
export function waves(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => Math.sin(index * 1.7 + 0.3))
}
