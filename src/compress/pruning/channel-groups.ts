/**
 * Channel groups: which channels of which constants live and die together.
 * Invariant: removing all places of one group from every binding gives a valid graph; a place that belongs to no
 * group (index -1) is never removed.
 */

import type { Graph, Node, ValueName } from '../../onnx/graph.js'
import { ChannelIds, untracked } from './channel-ids.js'
import { type AxisBinding, type BindingRole, type CountBinding, Coupling } from './coupling.js'
import { couplingRules } from './coupling-rules.js'

/** One axis of a constant: the group at each place, or -1 where the place stays. */
export interface GroupedAxis {
  readonly node: Node
  readonly initializer: ValueName
  readonly axis: number
  readonly role: BindingRole
  readonly groups: Int32Array
}

/** Numbers in a node that count channels: each is fixed or counts the kept places of a list of groups. */
export interface GroupedCount {
  readonly node: Node
  readonly place: CountBinding['place']
  readonly parts: readonly (number | Int32Array)[]
}

/** Groups that lie in exactly the same values: the unit in which channel counts are chosen and rounded. */
export interface ChannelLayer {
  readonly index: number
  /** The convolution that makes the channels; with the part of its split where it has several. */
  readonly name: string
  readonly groups: Int32Array
}

/** An operator without a coupling rule that channels reach. */
export interface Barrier {
  readonly node: string
  readonly opType: string
}

export interface ChannelGroups {
  /** Groups that may go, numbered from 0. */
  readonly count: number
  /** For each group: how many filter rows make it. */
  readonly producerCounts: Int32Array
  readonly layers: readonly ChannelLayer[]
  readonly layerOf: Int32Array
  readonly axes: readonly GroupedAxis[]
  readonly counts: readonly GroupedCount[]
  /** The group at each channel of a value, or undefined where its channels are not tracked. */
  readonly ofValue: ReadonlyMap<ValueName, Int32Array>
  /** Output channels of all convolutions. */
  readonly convolutionChannels: number
  /** How many of them must stay, by reason. */
  readonly frozen: ReadonlyMap<string, number>
  readonly barriers: readonly Barrier[]
}

/** Finds the channel groups of `graph`. Pure: the graph is not changed. */
export function findChannelGroups(graph: Graph): ChannelGroups {
  const ids = new ChannelIds()
  const coupling = new Coupling(graph, ids)
  const barriers: Barrier[] = []
  for (const node of graph.nodes) {
    const rule = couplingRules.get(node.opType)
    if (rule !== undefined) rule(node, coupling)
    else if (node.inputs.some((input) => coupling.of(input) !== undefined)) {
      barriers.push({ node: node.name, opType: node.opType })
      coupling.freezeInputs(node, `${node.name} (${node.opType}) has no coupling rule`)
    }
  }
  for (const output of graph.outputs)
    coupling.freezeValue(output.name, `it reaches the output ${output.name}`)
  coupleSharedConstants(coupling)
  return numbered(coupling, barriers)
}

/** A constant that several nodes read shrinks for all of them at once: their channels are coupled. */
function coupleSharedConstants(coupling: Coupling): void {
  const seen = new Map<string, AxisBinding>()
  const boundNodes = new Map<ValueName, Set<Node>>()
  for (const binding of coupling.axisBindings) {
    const key = `${binding.axis} ${binding.initializer}`
    const other = seen.get(key)
    const reason = `the constant ${binding.initializer} is shared`
    if (other === undefined) seen.set(key, binding)
    else if (other.ids.length === binding.ids.length) coupling.ids.joinAll(other.ids, binding.ids, reason)
    const nodes = boundNodes.get(binding.initializer) ?? new Set<Node>()
    boundNodes.set(binding.initializer, nodes.add(binding.node))
  }
  for (const binding of coupling.axisBindings) {
    const bound = boundNodes.get(binding.initializer)
    const users = coupling.index.usersOf(binding.initializer)
    // A user that does not know of the channels reads the constant as it is.
    if (users.every((user) => user.opType === 'DequantizeLinear' || bound?.has(user) === true)) continue
    for (const id of binding.ids) coupling.ids.freeze(id, `the constant ${binding.initializer} is shared`)
  }
}

function numbered(coupling: Coupling, barriers: readonly Barrier[]): ChannelGroups {
  const { ids } = coupling
  const numbers = new Map<number, number>()
  const groupOf = new Int32Array(ids.count).fill(untracked)
  for (let id = 0; id < ids.count; id++) {
    if (ids.frozenBecause(id) !== undefined) continue
    const root = ids.classOf(id)
    const number = numbers.get(root) ?? numbers.size
    numbers.set(root, number)
    groupOf[id] = number
  }
  const grouped = (list: Int32Array): Int32Array =>
    list.map((id) => (id === untracked ? untracked : groupOf[id]!))
  const axes = coupling.axisBindings.map(({ ids: list, ...binding }) => ({
    ...binding,
    groups: grouped(list),
  }))
  const counts = coupling.countBindings.map((binding) => ({
    ...binding,
    parts: binding.parts.map((part) => (typeof part === 'number' ? part : grouped(part))),
  }))
  const ofValue = new Map<ValueName, Int32Array>()
  for (const [value, channels] of coupling.channels) ofValue.set(value, grouped(channels.ids))
  const { layers, layerOf } = layersOf(numbers.size, ofValue, axes)
  return {
    count: numbers.size,
    producerCounts: producerCounts(numbers.size, axes),
    layers,
    layerOf,
    axes,
    counts,
    ofValue,
    ...census(coupling),
    barriers,
  }
}

/** Whether an axis is the filter axis of a weight (not of its bias). */
export function isFilterAxis(axis: GroupedAxis): boolean {
  return axis.role === 'produces' && axis.node.inputs[2] !== axis.initializer && isWeightOf(axis)
}

/** Axes of weights that read channels. */
export function readingAxes(groups: ChannelGroups): readonly GroupedAxis[] {
  return groups.axes.filter((axis) => axis.role === 'consumes' && axis.groups.some((group) => group >= 0))
}

function isWeightOf(axis: GroupedAxis): boolean {
  return axis.node.opType === 'Conv' || axis.node.opType === 'ConvTranspose'
}

function producerCounts(count: number, axes: readonly GroupedAxis[]): Int32Array {
  const producers = new Int32Array(count)
  for (const axis of axes) {
    if (!isFilterAxis(axis)) continue
    for (const group of axis.groups) if (group >= 0) producers[group]!++
  }
  return producers
}

function census(coupling: Coupling): Pick<ChannelGroups, 'convolutionChannels' | 'frozen'> {
  let convolutionChannels = 0
  const frozen = new Map<string, number>()
  for (const binding of coupling.axisBindings) {
    if (binding.role !== 'produces' || binding.node.inputs[1] === undefined) continue
    if (binding.node.inputs[2] === binding.initializer) continue
    convolutionChannels += binding.ids.length
    for (const id of binding.ids) {
      const reason = coupling.ids.frozenBecause(id)
      if (reason !== undefined) frozen.set(reason, (frozen.get(reason) ?? 0) + 1)
    }
  }
  return { convolutionChannels, frozen }
}

function layersOf(
  count: number,
  ofValue: ReadonlyMap<ValueName, Int32Array>,
  axes: readonly GroupedAxis[],
): { layers: readonly ChannelLayer[]; layerOf: Int32Array } {
  const signatures: string[] = Array.from({ length: count }, () => '')
  let valueNumber = 0
  for (const groups of ofValue.values()) {
    for (const group of new Set(groups))
      if (group >= 0) signatures[group] = `${signatures[group]!}${valueNumber},`
    valueNumber++
  }
  const names = new Map<number, string>()
  for (const axis of axes) {
    if (!isFilterAxis(axis)) continue
    for (const group of axis.groups) if (group >= 0 && !names.has(group)) names.set(group, axis.node.name)
  }
  const members = new Map<string, number[]>()
  signatures.forEach((signature, group) => {
    const list = members.get(signature)
    if (list === undefined) members.set(signature, [group])
    else list.push(group)
  })
  const layerOf = new Int32Array(count)
  const taken = new Map<string, number>()
  const layers = [...members.values()].map((groups, index) => {
    for (const group of groups) layerOf[group] = index
    const name = names.get(groups[0]!) ?? `layer ${index}`
    const part = taken.get(name) ?? 0
    taken.set(name, part + 1)
    return { index, name: part === 0 ? name : `${name}#${part}`, groups: Int32Array.from(groups) }
  })
  return { layers, layerOf }
}
