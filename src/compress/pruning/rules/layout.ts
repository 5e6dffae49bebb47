/** Coupling rules of the operators that move channels: Concat, Split, Slice, and those that end the tracking. */

import type { Node } from '../../../onnx/graph.js'
import { type Channels, type Coupling, channelAxis } from '../coupling.js'
import { intOf, intsOf } from '../../../onnx/attributes.js'

/** Concat on the channel axis: the lists one after the other. On another axis: equal places are coupled. */
export function coupleConcat(node: Node, coupling: Coupling): void {
  const given = node.inputs.map((input) => coupling.of(input))
  const known = given.filter((channels) => channels !== undefined)
  const first = known[0]
  if (first === undefined) return
  if (known.length !== given.length) {
    coupling.freezeInputs(node, `${node.name} (Concat) joins it with a value whose channels stay`)
    return
  }
  const axis = (intOf(node, 'axis', channelAxis) + first.rank) % first.rank
  if (axis === channelAxis) {
    coupling.set(node.outputs[0], concatenated(known), first.rank)
    return
  }
  for (const channels of known) coupling.ids.joinAll(first.ids, channels.ids, `${node.name} (Concat)`)
  coupling.set(node.outputs[0], first.ids, first.rank)
}

function concatenated(lists: readonly Channels[]): Int32Array {
  const joined = new Int32Array(lists.reduce((total, channels) => total + channels.ids.length, 0))
  let offset = 0
  for (const { ids } of lists) {
    joined.set(ids, offset)
    offset += ids.length
  }
  return joined
}

/** Split on the channel axis: consecutive parts, whose sizes count channels. On another axis: unary. */
export function coupleSplit(node: Node, coupling: Coupling): void {
  const given = coupling.of(node.inputs[0])
  if (given === undefined) return
  const axis = (intOf(node, 'axis', 0) + given.rank) % given.rank
  if (axis !== channelAxis) {
    for (const output of node.outputs) coupling.set(output, given.ids, given.rank)
    return
  }
  const inAttribute = intsOf(node, 'split')
  const computed = node.inputs.length > 1 && node.inputs[1] !== '' && coupling.integers(node, 1) === undefined
  const each = Math.ceil(given.ids.length / node.outputs.length)
  const equal = node.outputs.map((_, at) => Math.min(each, given.ids.length - at * each))
  const sizes = inAttribute ?? coupling.integers(node, 1) ?? equal
  if (
    computed ||
    sizes.length !== node.outputs.length ||
    sizes.reduce((a, b) => a + b, 0) !== given.ids.length
  ) {
    coupling.freezeInputs(node, `${node.name} (Split) computes its sizes`)
    return
  }
  let offset = 0
  const parts = sizes.map((size) => given.ids.slice(offset, (offset += size)))
  parts.forEach((ids, at) => {
    coupling.set(node.outputs[at], ids, given.rank)
  })
  const attributeForm = (coupling.graph.opsets.get('') ?? 13) < 13
  coupling.countBindings.push({
    node,
    place: attributeForm ? { attribute: 'split', scalar: false } : { input: 1 },
    parts,
  })
}

/** Slice with constant bounds and step 1 on the channel axis: a part whose bounds count channels. */
export function coupleSlice(node: Node, coupling: Coupling): void {
  const given = coupling.of(node.inputs[0])
  if (given === undefined) return
  const [starts, ends] = [coupling.integers(node, 1), coupling.integers(node, 2)]
  const axes = coupling.integers(node, 3) ?? starts?.map((_, at) => at)
  const steps = coupling.integers(node, 4) ?? starts?.map(() => 1)
  if (starts === undefined || ends === undefined || axes === undefined || steps === undefined) {
    coupling.freezeInputs(node, `${node.name} (Slice) computes its bounds`)
    return
  }
  const at = axes.findIndex((axis) => (axis + given.rank) % given.rank === channelAxis)
  if (at < 0) {
    coupling.set(node.outputs[0], given.ids, given.rank)
    return
  }
  if (steps[at] !== 1) {
    coupling.freezeInputs(node, `${node.name} (Slice) skips channels`)
    return
  }
  const [start, end] = [bound(starts[at]!, given.ids.length), bound(ends[at]!, given.ids.length)]
  const before = given.ids.slice(0, start)
  const upTo = given.ids.slice(0, end)
  coupling.countBindings.push(
    { node, place: { input: 1 }, parts: starts.map((value, index) => (index === at ? before : value)) },
    { node, place: { input: 2 }, parts: ends.map((value, index) => (index === at ? upTo : value)) },
  )
  coupling.set(node.outputs[0], given.ids.slice(start, end), given.rank)
}

function bound(value: number, size: number): number {
  return Math.max(0, Math.min(size, value < 0 ? value + size : value))
}

/** Operators after which a place of axis 1 is no longer one channel: whatever reaches them stays. */
export function coupleFreezing(node: Node, coupling: Coupling): void {
  coupling.freezeInputs(node, `${node.name} (${node.opType}) rearranges channels`)
}
