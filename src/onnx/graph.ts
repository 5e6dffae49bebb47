/**
 * The graph: what every part of the compiler reads, and what a patch makes anew.
 * Invariant: a Graph never changes after construction; nodes are in topological order; every value has one producer
 * (a graph input, an initializer, or one output of one node). `check-graph` verifies it.
 */

import type { ElementType, Tensor } from './tensor.js'

/** The name of a value. An empty string marks an absent optional input. */
export type ValueName = string

/** A known size, a symbol (`batch`), or undefined where nothing is known. */
export type Dim = number | string | undefined

export interface ValueInfo {
  readonly name: ValueName
  readonly type: ElementType
  readonly shape: readonly Dim[]
}

export type Attribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'tensor'; readonly value: Tensor }
  /** An attribute this tool does not read (subgraphs, sparse tensors): its encoded bytes, written back unchanged. */
  | { readonly kind: 'opaque'; readonly bytes: Uint8Array }

export interface Node {
  /** Unique in its graph, never empty. */
  readonly name: string
  readonly opType: string
  /** '' for the standard operators. */
  readonly domain: string
  readonly inputs: readonly ValueName[]
  readonly outputs: readonly ValueName[]
  readonly attributes: ReadonlyMap<string, Attribute>
  /** Fields of the file's node that this tool does not know; opaque to everybody but import and export. */
  readonly carried?: object
}

export interface Graph {
  readonly name: string
  readonly irVersion: number
  /** Operator set version by domain; '' is the standard domain. */
  readonly opsets: ReadonlyMap<string, number>
  /** Fed at run time; initializers are not listed here. */
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
  readonly nodes: readonly Node[]
  readonly initializers: ReadonlyMap<ValueName, Tensor>
  /** metadata_props of the model: `names`, `stride`, `imgsz`, ... */
  readonly metadata: ReadonlyMap<string, string>
  /** Fields of the file that this tool does not know, kept for the way back. Opaque to everybody but import and export. */
  readonly carried: object | undefined
}

/** Who makes and who uses each value of a graph. */
export interface GraphIndex {
  /** The node that outputs the value; undefined for graph inputs and initializers. */
  readonly producerOf: (value: ValueName) => Node | undefined
  /** The nodes that read the value, in graph order, each once. */
  readonly usersOf: (value: ValueName) => readonly Node[]
  readonly isOutput: (value: ValueName) => boolean
}

const indexes = new WeakMap<Graph, GraphIndex>()

/** The index of a graph, built once per graph. */
export function indexOf(graph: Graph): GraphIndex {
  const known = indexes.get(graph)
  if (known !== undefined) return known
  const producers = new Map<ValueName, Node>()
  const users = new Map<ValueName, Node[]>()
  for (const node of graph.nodes) {
    for (const output of node.outputs) if (output !== '') producers.set(output, node)
    for (const input of new Set(node.inputs)) {
      if (input === '') continue
      const list = users.get(input)
      if (list === undefined) users.set(input, [node])
      else list.push(node)
    }
  }
  const outputs = new Set(graph.outputs.map((output) => output.name))
  const index: GraphIndex = {
    producerOf: (value) => producers.get(value),
    usersOf: (value) => users.get(value) ?? [],
    isOutput: (value) => outputs.has(value),
  }
  indexes.set(graph, index)
  return index
}

/** Makes a node; attributes are given as a plain object. */
export function makeNode(
  opType: string,
  name: string,
  inputs: readonly ValueName[],
  outputs: readonly ValueName[],
  options: { readonly domain?: string; readonly attributes?: Readonly<Record<string, Attribute>> } = {},
): Node {
  return {
    name,
    opType,
    domain: options.domain ?? '',
    inputs,
    outputs,
    attributes: new Map(Object.entries(options.attributes ?? {})),
  }
}
