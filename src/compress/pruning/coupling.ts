/**
 * What the coupling rules read and write while they walk a graph: which symbolic channel lies at each place of each
 * value, and which constants have to shrink with it.
 * Invariant: a value without an entry has no channel that may go.
 */

import { intOf } from '../../onnx/attributes.js'
import type { Graph, GraphIndex, Node, ValueName } from '../../onnx/graph.js'
import { indexOf } from '../../onnx/graph.js'
import type { Tensor } from '../../onnx/tensor.js'
import type { ChannelIds } from './channel-ids.js'

/** The channel axis of every feature map: NCHW. */
export const channelAxis = 1

/** The channels of one value: the symbolic id at each place of axis 1. */
export interface Channels {
  readonly ids: Int32Array
  readonly rank: number
}

/**
 * `produces`: a row makes the channel (filters, their bias). `consumes`: a column reads it. `follows`: an element
 * belongs to it on the way (batch normalisation, scales).
 */
export type BindingRole = 'produces' | 'consumes' | 'follows'

/** One axis of a constant, tied to channels place by place. */
export interface AxisBinding {
  readonly node: Node
  readonly initializer: ValueName
  readonly axis: number
  readonly role: BindingRole
  readonly ids: Int32Array
}

/** A number in a node that counts channels: a Split size, a Slice bound, the group of a depthwise convolution. */
export interface CountBinding {
  readonly node: Node
  /** Where the numbers are: an input by index, or an attribute by name. */
  readonly place: { readonly input: number } | { readonly attribute: string; readonly scalar: boolean }
  /** Each number: fixed, or as many as there are kept ids in the list. */
  readonly parts: readonly (number | Int32Array)[]
}

export class Coupling {
  readonly ids: ChannelIds
  readonly graph: Graph
  readonly index: GraphIndex
  readonly channels = new Map<ValueName, Channels>()
  readonly axisBindings: AxisBinding[] = []
  readonly countBindings: CountBinding[] = []

  constructor(graph: Graph, ids: ChannelIds) {
    this.graph = graph
    this.ids = ids
    this.index = indexOf(graph)
  }

  of(value: ValueName | undefined): Channels | undefined {
    return value === undefined ? undefined : this.channels.get(value)
  }

  constant(value: ValueName | undefined): Tensor | undefined {
    return value === undefined ? undefined : this.graph.initializers.get(value)
  }

  /** The integers of a constant input, or undefined where the input is absent or computed. */
  integers(node: Node, input: number): readonly number[] | undefined {
    const tensor = this.constant(node.inputs[input])
    return tensor === undefined ? undefined : Array.from(tensor.data, Number)
  }

  set(value: ValueName | undefined, ids: Int32Array, rank: number): void {
    if (value !== undefined && value !== '') this.channels.set(value, { ids, rank })
  }

  /** Freezes every channel that `node` reads; its outputs carry none. */
  freezeInputs(node: Node, reason: string): void {
    for (const input of node.inputs) this.freezeValue(input, reason)
  }

  freezeValue(value: ValueName, reason: string): void {
    for (const id of this.of(value)?.ids ?? []) this.ids.freeze(id, reason)
  }

  /**
   * The dimensions of a weight: an initializer, or an initializer behind DequantizeLinear. Undefined where computed.
   */
  weightDims(value: ValueName | undefined): readonly number[] | undefined {
    const source = value === undefined ? undefined : this.#weightSource(value)
    return this.constant(source)?.dims
  }

  /** Ties one axis of a weight to channels, with the per-channel scale and zero point where it is quantised. */
  bindWeight(value: ValueName | undefined, binding: Omit<AxisBinding, 'initializer'>): void {
    if (value === undefined || value === '') return
    const source = this.#weightSource(value)
    if (source === undefined) return
    this.axisBindings.push({ ...binding, initializer: source })
    const dequantize = this.index.producerOf(value)
    if (dequantize === undefined) return
    if (binding.axis !== intOf(dequantize, 'axis', 1) && binding.axis !== 0) return
    for (const name of dequantize.inputs.slice(1)) {
      if (this.constant(name)?.dims[0] !== binding.ids.length) continue
      this.axisBindings.push({ ...binding, node: dequantize, role: 'follows', axis: 0, initializer: name })
    }
  }

  #weightSource(value: ValueName): ValueName | undefined {
    if (this.graph.initializers.has(value)) return value
    const producer = this.index.producerOf(value)
    const source = producer?.opType === 'DequantizeLinear' ? producer.inputs[0] : undefined
    return source !== undefined && this.graph.initializers.has(source) ? source : undefined
  }
}
