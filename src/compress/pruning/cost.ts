/**
 * What a pruned graph costs: multiply-accumulates and parameters of its convolutions, as a function of how many
 * channels each layer keeps.
 * Invariant: exact; the cost for full counts is the cost of the graph itself.
 */

import { present } from '../../base/assert.js'
import type { Graph, Node, ValueName } from '../../onnx/graph.js'
import { elementCount } from '../../onnx/tensor.js'
import { type ChannelGroups, isFilterAxis } from './channel-groups.js'

/** Output places (height * width) of each convolution, by node name. */
export type OutputPlaces = ReadonlyMap<string, number>

/** A number of channels: some that stay, and so many times the channels kept in each layer. */
interface ChannelCount {
  readonly fixed: number
  readonly layers: readonly (readonly [layer: number, times: number])[]
}

interface ConvolutionCost {
  readonly node: Node
  readonly places: number
  readonly kernel: number
  readonly outputs: ChannelCount
  readonly inputs: ChannelCount
}

export interface Cost {
  readonly macs: number
  readonly parameters: number
}

export class CostModel {
  readonly #convolutions: readonly ConvolutionCost[]
  readonly #byLayer: readonly (readonly ConvolutionCost[])[]

  constructor(graph: Graph, groups: ChannelGroups, places: OutputPlaces) {
    this.#convolutions = convolutionCosts(graph, groups, places)
    this.#byLayer = groups.layers.map(({ index }) =>
      this.#convolutions.filter(({ outputs, inputs }) =>
        [...outputs.layers, ...inputs.layers].some(([layer]) => layer === index),
      ),
    )
  }

  /** @param kept channels that stay, by layer index */
  cost(kept: readonly number[]): Cost {
    let macs = 0
    let parameters = 0
    for (const convolution of this.#convolutions) {
      const outputs = countOf(convolution.outputs, kept)
      const weights = outputs * countOf(convolution.inputs, kept) * convolution.kernel
      macs += weights * convolution.places
      parameters += weights + outputs
    }
    return { macs, parameters }
  }

  /** Multiply-accumulates saved when layer `layer` goes from `kept[layer]` to `next` channels. */
  saving(kept: readonly number[], layer: number, next: number): number {
    const after = kept.with(layer, next)
    let saved = 0
    for (const { outputs, inputs, kernel, places } of this.#byLayer[layer] ?? []) {
      const before = countOf(outputs, kept) * countOf(inputs, kept)
      saved += (before - countOf(outputs, after) * countOf(inputs, after)) * kernel * places
    }
    return saved
  }
}

function countOf(count: ChannelCount, kept: readonly number[]): number {
  let total = count.fixed
  for (const [layer, times] of count.layers) total += times * kept[layer]!
  return total
}

function convolutionCosts(graph: Graph, groups: ChannelGroups, places: OutputPlaces): ConvolutionCost[] {
  const made = new Map<string, Int32Array>()
  const read = new Map<string, Int32Array>()
  for (const axis of groups.axes) {
    if (isFilterAxis(axis)) made.set(axis.node.name, axis.groups)
    else if (axis.role === 'consumes') read.set(axis.node.name, axis.groups)
  }
  return graph.nodes.flatMap((node) => {
    const filters = made.get(node.name)
    const dims = weightDims(graph, node.inputs[1])
    if (filters === undefined || dims === undefined) return []
    const transposed = node.opType === 'ConvTranspose'
    const columns = dims[transposed ? 0 : 1]!
    return [
      {
        node,
        places: present(places.get(node.name), `the output size of ${node.name} is known`),
        kernel: elementCount(dims.slice(2)),
        outputs: layerCounts(filters, groups.layerOf),
        inputs: layerCounts(read.get(node.name) ?? new Int32Array(columns).fill(-1), groups.layerOf),
      },
    ]
  })
}

function weightDims(graph: Graph, weight: ValueName | undefined): readonly number[] | undefined {
  const direct = graph.initializers.get(weight ?? '')
  if (direct !== undefined) return direct.dims
  const producer = graph.nodes.find((node) => node.outputs[0] === weight)
  return graph.initializers.get(producer?.inputs[0] ?? '')?.dims
}

function layerCounts(groups: Int32Array, layerOf: Int32Array): ChannelCount {
  let fixed = 0
  const times = new Map<number, number>()
  const seen = new Map<number, Set<number>>()
  for (const group of groups) {
    if (group < 0) {
      fixed++
      continue
    }
    const layer = layerOf[group]!
    times.set(layer, (times.get(layer) ?? 0) + 1)
    seen.set(layer, (seen.get(layer) ?? new Set<number>()).add(group))
  }
  return { fixed, layers: [...times].map(([layer, places]) => [layer, places / seen.get(layer)!.size]) }
}
