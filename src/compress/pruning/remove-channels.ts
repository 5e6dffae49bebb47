/**
 * Surgery: takes channel groups out of a graph.
 * Before: every constant has its full size. After: rows, columns and counts of the removed groups are gone.
 * Invariant: the new graph computes what the old one computes with the removed channels held at zero in front of
 * every weight that reads them.
 */

import { AgentError } from '../../base/errors.js'
import { present } from '../../base/assert.js'
import type { Attribute, Graph, Node, ValueName } from '../../onnx/graph.js'
import type { Patch } from '../../onnx/patch.js'
import { int64Tensor, type Tensor } from '../../onnx/tensor.js'
import type { ChannelGroups, GroupedCount } from './channel-groups.js'
import { countKept, keptPlaces, type RemovedGroups } from './index-mapping.js'
import { fillPlaces, sliceTensor } from './slice-tensor.js'
import { removedPlaces } from './index-mapping.js'

/** The patch that removes `removed` from `graph`. Throws `compress.plan_invalid` when a layer would become empty. */
export function removeChannels(graph: Graph, groups: ChannelGroups, removed: RemovedGroups): Patch {
  refuseEmptyLayers(groups, removed)
  const initializers = new Map<ValueName, Tensor>()
  const done = new Set<string>()
  for (const { initializer, axis, groups: places } of groups.axes) {
    const key = `${axis} ${initializer}`
    if (done.has(key)) continue
    done.add(key)
    const kept = keptPlaces(places, removed)
    if (kept.length === places.length) continue
    const tensor = initializers.get(initializer) ?? present(graph.initializers.get(initializer), initializer)
    initializers.set(initializer, sliceTensor(tensor, axis, kept))
  }
  const rewritten = new Map<Node, Node>()
  for (const count of groups.counts) {
    const node = rewritten.get(count.node) ?? count.node
    const recounted = recount(node, count, removed, initializers)
    if (recounted !== node) rewritten.set(count.node, recounted)
  }
  return { remove: rewritten.keys(), add: rewritten.values(), initializers }
}

/**
 * The constants that hold the removed channels at zero where they are made: filters, biases and what follows them.
 * Equals removal where the way to every reader keeps zero (SiLU and ReLU do).
 */
export function maskChannels(graph: Graph, groups: ChannelGroups, removed: RemovedGroups): Patch {
  const initializers = new Map<ValueName, Tensor>()
  for (const { initializer, axis, groups: places, role } of groups.axes) {
    if (role === 'consumes') continue
    const gone = removedPlaces(places, removed)
    if (gone.length === 0) continue
    const tensor = initializers.get(initializer) ?? present(graph.initializers.get(initializer), initializer)
    if (tensor.type === 'float32') initializers.set(initializer, fillPlaces(tensor, axis, gone))
  }
  return { initializers }
}

function refuseEmptyLayers(groups: ChannelGroups, removed: RemovedGroups): void {
  for (const { node, groups: places, axis } of groups.axes) {
    if (places.length === 0 || countKept(places, removed) > 0) continue
    throw new AgentError(
      'compress.plan_invalid',
      `pruning would remove all ${places.length} channels along axis ${axis} of ${node.name}; at least 1 must stay`,
    )
  }
}

function recount(
  node: Node,
  count: GroupedCount,
  removed: RemovedGroups,
  initializers: Map<ValueName, Tensor>,
): Node {
  const numbers = count.parts.map((part) => (typeof part === 'number' ? part : countKept(part, removed)))
  const before = count.parts.map((part) => (typeof part === 'number' ? part : part.length))
  if (numbers.every((number, at) => number === before[at])) return node
  if ('attribute' in count.place) {
    const value: Attribute = count.place.scalar
      ? { kind: 'int', value: numbers[0]! }
      : { kind: 'ints', value: numbers }
    return { ...node, attributes: new Map(node.attributes).set(count.place.attribute, value) }
  }
  const name = `${node.name}.kept_${count.place.input}`
  initializers.set(name, int64Tensor([numbers.length], numbers))
  const inputs = [...node.inputs]
  while (inputs.length <= count.place.input) inputs.push('')
  inputs[count.place.input] = name
  const attributes = new Map(node.attributes)
  attributes.delete('num_outputs')
  return { ...node, inputs, attributes }
}
