/**
 * The only way to change a graph: a patch says what goes and what comes, applyPatch makes the new graph.
 * Invariant: the given graph is untouched; the new one is in topological order again and keeps no initializer that
 * nobody reads.
 */

import { AgentError } from '../base/errors.js'
import type { Graph, Node, ValueInfo, ValueName } from './graph.js'
import type { Tensor } from './tensor.js'

export interface Patch {
  /** Nodes of the given graph that the new one does not have. */
  readonly remove?: Iterable<Node>
  /** Nodes that only the new graph has, in any order. */
  readonly add?: Iterable<Node>
  /** Initializers that only the new graph has, or that it has with another tensor. */
  readonly initializers?: Iterable<readonly [ValueName, Tensor]>
  /** Old value -> the value its users read from now on (added nodes are not rewired; graph outputs keep their name). */
  readonly rewire?: ReadonlyMap<ValueName, ValueName>
  /** The new inputs or outputs of the graph, where they change. */
  readonly inputs?: readonly ValueInfo[]
  readonly outputs?: readonly ValueInfo[]
  readonly metadata?: ReadonlyMap<string, string>
  readonly opsets?: ReadonlyMap<string, number>
}

/** Applies `patch`. Throws `model.graph_invalid` when the result has a cycle or a value without a producer. */
export function applyPatch(graph: Graph, patch: Patch): Graph {
  const removed = new Set(patch.remove ?? [])
  const rewire = patch.rewire ?? new Map<ValueName, ValueName>()
  const kept = graph.nodes.filter((node) => !removed.has(node)).map((node) => rewired(node, rewire))
  const initializers = new Map(graph.initializers)
  for (const [name, tensor] of patch.initializers ?? []) initializers.set(name, tensor)
  const inputs = patch.inputs ?? graph.inputs
  const outputs = patch.outputs ?? graph.outputs
  const nodes = topologicalOrder(
    [...kept, ...(patch.add ?? [])],
    [...inputs.map((input) => input.name), ...initializers.keys()],
  )
  const used = new Set(nodes.flatMap((node) => node.inputs))
  for (const output of outputs) used.add(output.name)
  for (const name of initializers.keys()) if (!used.has(name)) initializers.delete(name)
  return {
    ...graph,
    inputs,
    outputs,
    nodes,
    initializers,
    metadata: patch.metadata ?? graph.metadata,
    opsets: patch.opsets ?? graph.opsets,
  }
}

function rewired(node: Node, rewire: ReadonlyMap<ValueName, ValueName>): Node {
  if (!node.inputs.some((input) => rewire.has(input))) return node
  return { ...node, inputs: node.inputs.map((input) => rewire.get(input) ?? input) }
}

/** Orders nodes so that each comes after the producers of its inputs; keeps the given order where it is free to. */
export function topologicalOrder(nodes: readonly Node[], given: Iterable<ValueName>): readonly Node[] {
  const producers = new Map<ValueName, Node>()
  for (const node of nodes) for (const output of node.outputs) producers.set(output, node)
  const available = new Set<ValueName>(given)
  const state = new Map<Node, 'open' | 'done'>()
  const ordered: Node[] = []
  for (const root of nodes) visit(root)
  return ordered

  function visit(root: Node): void {
    const stack: { node: Node; checked: number }[] = []
    enter(root)
    while (stack.length > 0) {
      const top = stack.at(-1)!
      const waiting = nextPending(top)
      if (waiting !== undefined) {
        enter(waiting)
        continue
      }
      state.set(top.node, 'done')
      ordered.push(top.node)
      stack.pop()
    }

    function enter(node: Node): void {
      if (state.get(node) === 'done') return
      if (state.get(node) === 'open') {
        throw new AgentError('model.graph_invalid', `the graph has a cycle through node ${node.name}`)
      }
      state.set(node, 'open')
      stack.push({ node, checked: 0 })
    }
  }

  /** The producer of the first input that is not available yet; each input is looked at once. */
  function nextPending(entry: { node: Node; checked: number }): Node | undefined {
    const { node } = entry
    for (; entry.checked < node.inputs.length; entry.checked++) {
      const input = node.inputs[entry.checked]!
      if (input === '' || available.has(input)) continue
      const producer = producers.get(input)
      if (producer === undefined) {
        throw new AgentError(
          'model.graph_invalid',
          `node ${node.name} reads ${input}, which nothing produces`,
        )
      }
      if (state.get(producer) !== 'done') return producer
    }
    return undefined
  }
}
