/**
 * Which nodes are computed on integers, which values are held as integers, and which of those share one scale.
 * Invariant: every value that a quantised node reads or makes belongs to exactly one scale group; constants to none.
 */

import { invariant } from '../../base/assert.js'
import { type Graph, indexOf, type Node, type ValueName } from '../../onnx/graph.js'
import { findImageInput, type ImageInput } from './image-input.js'
import { type QuantizationRules, refusalOf } from './rules.js'

/** A node that stays float, and why. */
export interface Barrier {
  readonly node: string
  readonly opType: string
  readonly reason: string
}

/** Where the range of a group comes from. */
export type RangeSource =
  /** A SiLU: its range follows from the values of the convolution before it. */
  | { readonly kind: 'silu'; readonly before: ValueName; readonly value: ValueName }
  /** Any other computed value: observed as it is. */
  | { readonly kind: 'observed'; readonly value: ValueName }
  /** Known without looking: a sigmoid, or the picture. */
  | { readonly kind: 'fixed'; readonly value: ValueName; readonly min: number; readonly max: number }

export interface ScaleGroup {
  readonly values: readonly ValueName[]
  readonly sources: readonly RangeSource[]
}

export interface QuantizationPlan {
  readonly graph: Graph
  readonly image: ImageInput | undefined
  /** By name. */
  readonly quantized: ReadonlySet<string>
  readonly barriers: readonly Barrier[]
  readonly groups: readonly ScaleGroup[]
  /** Values whose histograms `groups` need. */
  readonly observed: readonly ValueName[]
}

/** Plans the quantisation of `graph`; the nodes named in `floatNodes` stay float. */
export function planQuantization(
  graph: Graph,
  rules: QuantizationRules,
  floatNodes: ReadonlySet<string> = new Set(),
): QuantizationPlan {
  const image = findImageInput(graph)
  const preparation = new Set(image?.nodes)
  const quantized = new Set<string>()
  const barriers: Barrier[] = []
  for (const node of graph.nodes) {
    if (preparation.has(node)) continue
    const reason = floatNodes.has(node.name) ? 'it is kept float' : refusalOf(node, graph, rules)
    if (reason === undefined) quantized.add(node.name)
    else barriers.push({ node: node.name, opType: node.opType, reason })
  }
  const groups = scaleGroups(graph, rules, quantized, image)
  const observed = new Set<ValueName>()
  for (const { sources } of groups) {
    for (const source of sources) {
      if (source.kind === 'silu') observed.add(source.before)
      if (source.kind === 'observed') observed.add(source.value)
    }
  }
  return { graph, image, quantized, barriers, groups, observed: [...observed] }
}

/** The values that a node computes with: a convolution's first input; every input of the others but constants. */
export function activationInputs(graph: Graph, node: Node): readonly ValueName[] {
  const inputs = node.opType === 'Conv' ? node.inputs.slice(0, 1) : node.inputs
  return inputs.filter((input) => input !== '' && !graph.initializers.has(input))
}

/** The value whose SiLU `node` computes: `Mul(x, Sigmoid(x))`; undefined for other nodes. */
export function siluInput(graph: Graph, node: Node): ValueName | undefined {
  if (node.opType !== 'Mul' || node.domain !== '') return undefined
  const index = indexOf(graph)
  const [left = '', right = ''] = node.inputs
  for (const [value, gate] of [
    [left, right],
    [right, left],
  ] as const) {
    const producer = index.producerOf(gate)
    if (producer?.opType === 'Sigmoid' && producer.inputs[0] === value) return value
  }
  return undefined
}

function scaleGroups(
  graph: Graph,
  rules: QuantizationRules,
  quantized: ReadonlySet<string>,
  image: ImageInput | undefined,
): readonly ScaleGroup[] {
  const leaders = new Map<ValueName, ValueName>()
  for (const node of graph.nodes) {
    if (!quantized.has(node.name)) continue
    const shared = rules.get(node.opType)?.output === 'shared'
    const values = [...activationInputs(graph, node), ...node.outputs]
    for (const value of values) {
      if (!leaders.has(value)) leaders.set(value, value)
      if (shared) leaders.set(leaderOf(leaders, value), leaderOf(leaders, values[0]!))
    }
  }
  const members = new Map<ValueName, ValueName[]>()
  for (const value of leaders.keys()) {
    const leader = leaderOf(leaders, value)
    const list = members.get(leader)
    if (list === undefined) members.set(leader, [value])
    else list.push(value)
  }
  return [...members.values()].map((values) => ({
    values,
    sources: values.flatMap((value) => sourceOf(graph, rules, quantized, image, value)),
  }))
}

function leaderOf(leaders: Map<ValueName, ValueName>, value: ValueName): ValueName {
  let leader = value
  while (leaders.get(leader)! !== leader) leader = leaders.get(leader)!
  return leader
}

/** Where the range of one value comes from; nothing where it only passes on the values of its group. */
function sourceOf(
  graph: Graph,
  rules: QuantizationRules,
  quantized: ReadonlySet<string>,
  image: ImageInput | undefined,
  value: ValueName,
): readonly RangeSource[] {
  if (value === image?.value) return [{ kind: 'fixed', value, min: 0, max: 255 * image.scale }]
  const producer = indexOf(graph).producerOf(value)
  if (producer === undefined) {
    invariant(
      graph.inputs.some((input) => input.name === value),
      `${value} is computed or fed`,
    )
    // A float input of an export holds pixels in 0..1.
    return [{ kind: 'fixed', value, min: 0, max: 1 }]
  }
  const output = rules.get(producer.opType)?.output
  if (quantized.has(producer.name) && output === 'shared') return []
  if (producer.opType === 'Sigmoid') return [{ kind: 'fixed', value, min: 0, max: 1 }]
  const before = siluInput(graph, producer)
  if (before !== undefined) return [{ kind: 'silu', before, value }]
  return [{ kind: 'observed', value }]
}
