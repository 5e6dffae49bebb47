/** Cutting pieces out of graphs. Invariant: a piece computes exactly the asked values from the given ones. */

import { type Graph, indexOf, type Node, type ValueInfo, type ValueName } from '../../onnx/graph.js'
import type { Feeds } from '../ports.js'

/**
 * The nodes that compute `outputs` from `given`, as a graph of its own.
 * Shapes are left open: names of dimensions are not needed to run it.
 */
export function subgraph(
  graph: Graph,
  given: ReadonlySet<ValueName>,
  outputs: readonly ValueName[],
  types: Feeds,
): Graph {
  const index = indexOf(graph)
  const needed = new Set<Node>()
  const inputs = new Set<ValueName>()
  const open = [...outputs]
  while (open.length > 0) {
    const value = open.pop()!
    if (given.has(value)) {
      inputs.add(value)
      continue
    }
    const producer = index.producerOf(value)
    if (producer === undefined || needed.has(producer)) continue
    needed.add(producer)
    open.push(...producer.inputs.filter((input) => input !== ''))
  }
  const nodes = graph.nodes.filter((node) => needed.has(node))
  const used = new Set(nodes.flatMap((node) => node.inputs))
  return {
    ...graph,
    nodes,
    inputs: [...inputs].map((name) => inputInfo(graph, name, types)),
    outputs: outputs.map((name) => outputInfo(graph, name)),
    initializers: new Map([...graph.initializers].filter(([name]) => used.has(name))),
    carried: undefined,
  }
}

/** What changes with the outputs of `nodes`. */
export interface Downstream {
  /** Outputs of the graph that change, in order. */
  readonly outputs: readonly ValueName[]
  /** What the changing part reads and does not change, but for initializers. */
  readonly inputs: readonly ValueName[]
}

/** The part of `graph` from `nodes` on to its outputs. */
export function downstreamOf(graph: Graph, nodes: Iterable<Node>): Downstream {
  const first = new Set(nodes)
  const changed = new Set<ValueName>()
  const read = new Set<ValueName>()
  for (const node of graph.nodes) {
    if (!first.has(node) && !node.inputs.some((input) => changed.has(input))) continue
    for (const input of node.inputs) if (input !== '' && !graph.initializers.has(input)) read.add(input)
    for (const output of node.outputs) changed.add(output)
  }
  return {
    outputs: graph.outputs.map(({ name }) => name).filter((name) => changed.has(name)),
    inputs: [...read].filter((name) => !changed.has(name)),
  }
}

function outputInfo(graph: Graph, name: ValueName): ValueInfo {
  const known = graph.outputs.find((output) => output.name === name)
  return known ?? { name, type: 'float32', shape: openShape(name, 4) }
}

function inputInfo(graph: Graph, name: ValueName, types: Feeds): ValueInfo {
  const known = graph.inputs.find((input) => input.name === name)
  if (known !== undefined) return known
  const tensor = types.get(name)
  return { name, type: tensor?.type ?? 'float32', shape: tensor?.dims ?? openShape(name, 4) }
}

function openShape(name: ValueName, rank: number): readonly string[] {
  return Array.from({ length: rank }, (_, axis) => `${name}_${axis}`)
}
