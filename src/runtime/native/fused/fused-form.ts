/**
 * An int8 graph with operators of the domain `yolo-edge` in place of the stock ones: a SiLU is one table, and where the processor
 * has a kernel for it, a convolution, its SiLU, and the Split or Concat before it are one operator.
 * Invariant: the same bytes come out of every output, bit for bit; what cannot be proven to be one of those forms stays as it is.
 */

import { intOf, intsAttribute } from '../../../onnx/attributes.js'
import { type Graph, indexOf, makeNode, type Node, type ValueName } from '../../../onnx/graph.js'
import { operatorDomain } from '../../../onnx/opset.js'
import { applyPatch } from '../../../onnx/patch.js'
import { shapesOf } from '../../../onnx/shapes/infer-shapes.js'
import type { Tensor } from '../../../onnx/tensor.js'
import { type ByteConvolution, byteConvolutionOf, type ByteSilu, siluOf, unfolded } from './byte-operators.js'
import { packConvolution } from './packed-convolution.js'

const operatorVersion = 1

export interface FusedOperators {
  /** Whether the processor has a kernel for the operator `Convolution`. */
  readonly hasConvolution: boolean
  /** What each SiLU of `silus` makes of the bytes 0 to 255. */
  tablesOf(graph: Graph, silus: readonly ByteSilu[]): Promise<readonly Uint8Array[]>
}

/** Channels that a convolution reads, from one tensor. */
interface Source {
  readonly value: ValueName
  readonly start: number
  readonly count: number
  readonly width: number
}

const mostSources = 16
const identity = Uint8Array.from({ length: 256 }, (_, byte) => byte)

/** `graph` with fused operators; the same graph where there is nothing to fuse. */
export async function fusedForm(graph: Graph, operators: FusedOperators): Promise<Graph> {
  const silus = graph.nodes.map((node) => siluOf(graph, node)).filter((silu) => silu !== undefined)
  const tables = await operators.tablesOf(graph, silus)
  const writer = new FusedWriter(graph)
  const taken = new Set<ByteSilu>()
  if (operators.hasConvolution) {
    const siluOn = new Map(silus.map((silu, index) => [silu.input, { silu, table: tables[index]! }]))
    for (const node of graph.nodes) {
      const used = writer.convolution(node, siluOn)
      if (used !== undefined) taken.add(used)
    }
  }
  for (const [index, silu] of silus.entries()) if (!taken.has(silu)) writer.table(silu, tables[index]!)
  return writer.graph()
}

class FusedWriter {
  readonly #graph: Graph
  readonly #removed = new Set<Node>()
  readonly #added: Node[] = []
  readonly #initializers: [ValueName, Tensor][] = []
  readonly #tables = new Map<string, ValueName>()

  constructor(graph: Graph) {
    this.#graph = graph
  }

  /** The new graph, without what nobody reads any more. */
  graph(): Graph {
    if (this.#added.length === 0) return this.#graph
    return withoutUnread(
      applyPatch(this.#graph, {
        remove: this.#removed,
        add: this.#added,
        initializers: this.#initializers,
        opsets: new Map([...this.#graph.opsets, [operatorDomain, operatorVersion]]),
      }),
    )
  }

  table({ sigmoid, product, input, output }: ByteSilu, table: Uint8Array): void {
    this.#removed.add(sigmoid)
    this.#removed.add(product)
    this.#node('Table', [input, this.#table(table)], output, {})
  }

  /** Fuses `node` with what follows. Returns the SiLU that went into it. */
  convolution(
    node: Node,
    siluOn: ReadonlyMap<ValueName, { readonly silu: ByteSilu; readonly table: Uint8Array }>,
  ): ByteSilu | undefined {
    const found = byteConvolutionOf(this.#graph, node)
    if (found === undefined) return undefined
    const { usersOf, isOutput } = indexOf(this.#graph)
    const { convolution, output: made, reshapes } = this.#unfolded(node, found)
    const sources = this.#sourcesOf(convolution)
    if (sources === undefined) return undefined
    const candidate = isOutput(made) ? undefined : siluOn.get(made)
    const isOnlyRead =
      candidate !== undefined &&
      usersOf(made).every((user) => user === candidate.silu.sigmoid || user === candidate.silu.product)
    const follower = isOnlyRead ? candidate : undefined
    const packed = packConvolution(convolution, sources)
    const name = node.outputs[0]!
    const constants = (['weights', 'bias', 'scales'] as const).map((kind) => {
      this.#initializers.push([`${name}/packed/${kind}`, packed[kind]])
      return `${name}/packed/${kind}`
    })
    const { geometry, channels, blocks } = packed.attributes
    this.#node(
      'Convolution',
      [...constants, this.#table(follower?.table ?? identity), ...sources.map(({ value }) => value)],
      follower?.silu.output ?? made,
      { geometry: intsAttribute(geometry), channels: intsAttribute(channels), blocks: intsAttribute(blocks) },
    )
    for (const gone of [node, ...reshapes]) this.#removed.add(gone)
    if (follower === undefined) return undefined
    this.#removed.add(follower.silu.sigmoid)
    this.#removed.add(follower.silu.product)
    return follower.silu
  }

  /** The convolution without the groups of pixels that it reads and writes, where it is one that has them. */
  #unfolded(
    node: Node,
    folded: ByteConvolution,
  ): {
    readonly convolution: ByteConvolution
    readonly output: ValueName
    readonly reshapes: readonly Node[]
  } {
    const as = { convolution: folded, output: node.outputs[0]!, reshapes: [] }
    const { producerOf, usersOf, isOutput } = indexOf(this.#graph)
    const before = producerOf(folded.input)
    const [after, ...others] = usersOf(node.outputs[0]!)
    if (before?.opType !== 'Reshape' || after?.opType !== 'Reshape' || others.length > 0) return as
    if (isOutput(node.outputs[0]!)) return as
    const convolution = unfolded(folded)
    const shapes = shapesOf(this.#graph)
    const picture = shapes.staticShapeOf(before.inputs[0]!)
    const made = shapes.staticShapeOf(after.outputs[0]!)
    if (convolution === undefined || picture?.length !== 4 || made?.length !== 4) return as
    const [, height = 0, width = 0, colors] = picture
    const isSame =
      colors === 3 &&
      width % 4 === 0 &&
      height % 2 === 0 &&
      made.join() === [picture[0], height / 2, width / 2, convolution.dims[0]].join()
    if (!isSame) return as
    return {
      convolution: { ...convolution, input: before.inputs[0]! },
      output: after.outputs[0]!,
      reshapes: [after],
    }
  }

  /** Where the channels of the input of a convolution come from; undefined where their number is not known. */
  #sourcesOf({ input, dims }: ByteConvolution): readonly Source[] | undefined {
    const sources = this.#resolve(input)
    const count = sources?.reduce((sum, source) => sum + source.count, 0)
    if (sources !== undefined && count === dims[1] && sources.length <= mostSources) return sources
    return [{ value: input, start: 0, count: dims[1], width: dims[1] }]
  }

  /** The tensors that `value` is put together from by Split and Concat of channels. */
  #resolve(value: ValueName): readonly Source[] | undefined {
    const producer = indexOf(this.#graph).producerOf(value)
    const isOfChannels = producer !== undefined && intOf(producer, 'axis', 0) === 3 && producer.domain === ''
    if (isOfChannels && producer.opType === 'Concat') {
      const parts = producer.inputs.map((input) => this.#resolve(input))
      return parts.every((part) => part !== undefined) ? joined(parts.flat()) : undefined
    }
    const width = this.#channelsOf(value)
    if (width === undefined) return undefined
    if (isOfChannels && producer.opType === 'Split') {
      const [whole = ''] = producer.inputs
      const sizes = producer.outputs.map((output) => this.#channelsOf(output))
      const before = sizes.slice(0, producer.outputs.indexOf(value))
      const all = this.#channelsOf(whole)
      if (all !== undefined && before.every((size) => size !== undefined))
        return [
          { value: whole, start: before.reduce((sum, size) => sum + size, 0), count: width, width: all },
        ]
    }
    return [{ value, start: 0, count: width, width }]
  }

  #channelsOf(value: ValueName): number | undefined {
    const shape = shapesOf(this.#graph).typeOf(value)?.shape
    const channels = shape?.length === 4 ? shape[3] : undefined
    return typeof channels === 'number' ? channels : undefined
  }

  #table(bytes: Uint8Array): ValueName {
    const key = bytes.join()
    const known = this.#tables.get(key)
    if (known !== undefined) return known
    const name = `${operatorDomain}/table_${this.#tables.size}`
    this.#tables.set(key, name)
    this.#initializers.push([name, { type: 'uint8', dims: [256], data: bytes }])
    return name
  }

  #node(opType: string, inputs: readonly ValueName[], output: ValueName, attributes: object): void {
    const given = { attributes: attributes as Readonly<Record<string, ReturnType<typeof intsAttribute>>> }
    this.#added.push(
      makeNode(opType, `${output}/${opType}`, inputs, [output], { ...given, domain: operatorDomain }),
    )
  }
}

/** Neighbors in one tensor as one source. */
function joined(sources: readonly Source[]): readonly Source[] {
  const whole: Source[] = []
  for (const source of sources) {
    const last = whole.at(-1)
    if (last?.value === source.value && last.start + last.count === source.start)
      whole[whole.length - 1] = { ...last, count: last.count + source.count }
    else whole.push(source)
  }
  return whole
}

/** `graph` without the nodes, and what only they read, whose outputs nobody reads. */
function withoutUnread(graph: Graph): Graph {
  const needed = new Set(graph.outputs.map(({ name }) => name))
  const kept: Node[] = []
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((output) => needed.has(output))) continue
    kept.push(node)
    for (const input of node.inputs) needed.add(input)
  }
  const unread = graph.nodes.filter((node) => !kept.includes(node))
  return unread.length === 0 ? graph : applyPatch(graph, { remove: unread })
}
