/**
 * The rules every Graph keeps.
 * Invariant: checkGraph never throws; an empty list means that import, passes and export may rely on the rules.
 */

import { AgentError } from '../base/errors.js'
import type { Graph, Node, ValueName } from './graph.js'
import { elementCount } from './tensor.js'

/** Every violation, each one sentence naming the node or value; empty for a valid graph. */
export function checkGraph(graph: Graph): readonly string[] {
  return [...checkNames(graph), ...checkValues(graph), ...checkTensors(graph), ...checkOpsets(graph)]
}

/** Throws `model.graph_invalid` with the first violation and the number of others. */
export function requireValidGraph(graph: Graph): void {
  const [first, ...others] = checkGraph(graph)
  if (first === undefined) return
  const more = others.length === 0 ? '' : ` (and ${others.length} more violations)`
  throw new AgentError('model.graph_invalid', `the graph is not valid: ${first}${more}`)
}

function* checkNames(graph: Graph): Generator<string> {
  const names = new Set<string>()
  for (const node of graph.nodes) {
    if (node.name === '') yield `a ${node.opType} node has no name`
    else if (names.has(node.name)) yield `two nodes are called ${node.name}`
    names.add(node.name)
    if (node.opType === '') yield `node ${node.name} has no operator type`
  }
}

/** One producer for each value, and each before its users. */
function* checkValues(graph: Graph): Generator<string> {
  const produced = new Map<ValueName, string>()
  for (const input of graph.inputs) yield* produce(input.name, 'a graph input')
  for (const name of graph.initializers.keys()) yield* produce(name, 'an initializer')
  const later = new Set(graph.nodes.flatMap((node) => node.outputs))
  for (const node of graph.nodes) {
    for (const input of node.inputs) {
      if (input === '' || produced.has(input)) continue
      yield later.has(input)
        ? `node ${node.name} reads ${input} before it is produced`
        : `node ${node.name} reads ${input}, which nothing produces`
    }
    for (const output of node.outputs) if (output !== '') yield* produce(output, `node ${node.name}`)
    if (!node.outputs.some((output) => output !== '')) yield `node ${node.name} has no output`
  }
  const outputs = new Set<ValueName>()
  for (const { name } of graph.outputs) {
    if (!produced.has(name)) yield `graph output ${name} is produced by nothing`
    if (outputs.has(name)) yield `graph output ${name} is listed twice`
    outputs.add(name)
  }
  if (graph.outputs.length === 0) yield 'the graph has no output'

  function* produce(name: ValueName, producer: string): Generator<string> {
    const known = produced.get(name)
    if (name === '') yield `${producer} has no name`
    else if (known !== undefined) yield `value ${name} is produced by ${known} and by ${producer}`
    produced.set(name, producer)
  }
}

function* checkTensors(graph: Graph): Generator<string> {
  for (const [name, tensor] of graph.initializers) {
    const count = elementCount(tensor.dims)
    if (tensor.data.length !== count) {
      yield `initializer ${name} [${tensor.dims.join(',')}] has ${tensor.data.length} elements, expected ${count}`
    }
  }
}

function* checkOpsets(graph: Graph): Generator<string> {
  const undeclared = new Map<string, Node>()
  for (const node of graph.nodes) {
    if (!graph.opsets.has(node.domain) && !undeclared.has(node.domain)) undeclared.set(node.domain, node)
  }
  for (const [domain, node] of undeclared) {
    yield `node ${node.name} (${node.opType}) is of domain '${domain}', for which the graph declares no operator set`
  }
}
