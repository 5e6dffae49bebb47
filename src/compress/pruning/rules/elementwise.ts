/** Coupling rules of the operators that keep each channel where it is: activations, arithmetic, pooling, resizing. */

import type { Node } from '../../../onnx/graph.js'
import { elementCount } from '../../../onnx/tensor.js'
import { type Channels, type Coupling, channelAxis } from '../coupling.js'

/** The output has the channels of the first input. */
export function coupleUnary(node: Node, coupling: Coupling): void {
  const given = coupling.of(node.inputs[0])
  if (given === undefined) return
  for (const output of node.outputs) coupling.set(output, given.ids, given.rank)
}

/** BatchNormalization: as unary; its four vectors shrink with the channels. */
export function coupleNormalization(node: Node, coupling: Coupling): void {
  const given = coupling.of(node.inputs[0])
  if (given === undefined) return
  for (const vector of node.inputs.slice(1)) {
    if (coupling.constant(vector) === undefined) {
      coupling.freezeInputs(node, `${node.name} (${node.opType}) computes its scale`)
      return
    }
    coupling.axisBindings.push({ node, initializer: vector, axis: 0, role: 'follows', ids: given.ids })
  }
  coupling.set(node.outputs[0], given.ids, given.rank)
}

/**
 * Add, Mul and their like: channels of the operands at equal places live and die together. A constant shrinks along
 * its channel axis, or has one element there and stays.
 */
export function coupleArithmetic(node: Node, coupling: Coupling): void {
  const tracked = node.inputs.map((input) => coupling.of(input)).filter((channels) => channels !== undefined)
  const widest = tracked.reduce<Channels | undefined>(
    (best, channels) => (best === undefined || channels.ids.length > best.ids.length ? channels : best),
    undefined,
  )
  if (widest === undefined) return
  const rank = Math.max(...tracked.map((channels) => channels.rank))
  const reason = `${node.name} (${node.opType}) joins it with a value whose channels stay`
  for (const input of node.inputs) {
    const channels = coupling.of(input)
    const constant = coupling.constant(input)
    if (channels !== undefined) {
      if (channels.ids.length === widest.ids.length && channels.rank === rank) {
        coupling.ids.joinAll(widest.ids, channels.ids, reason)
      } else coupling.freezeValue(input, `${node.name} (${node.opType}) broadcasts it`)
    } else if (constant === undefined) {
      for (const id of widest.ids) coupling.ids.freeze(id, reason)
    } else coupleConstant(node, coupling, { input, dims: constant.dims, rank, ids: widest.ids })
  }
  coupling.set(node.outputs[0], widest.ids, rank)
}

function coupleConstant(
  node: Node,
  coupling: Coupling,
  constant: {
    readonly input: string
    readonly dims: readonly number[]
    readonly rank: number
    readonly ids: Int32Array
  },
): void {
  const { input, dims, rank, ids } = constant
  const axis = dims.length - rank + channelAxis
  if (elementCount(dims) === 1 || axis < 0 || dims[axis] === 1) return
  if (dims.length > rank || dims[axis] !== ids.length) {
    for (const id of ids) coupling.ids.freeze(id, `${node.name} (${node.opType}) adds an axis`)
    return
  }
  coupling.axisBindings.push({ node, initializer: input, axis, role: 'follows', ids })
}

/** QuantizeLinear and DequantizeLinear on feature maps: unary; scales per channel shrink with the channels. */
export function coupleQuantization(node: Node, coupling: Coupling): void {
  const given = coupling.of(node.inputs[0])
  if (given === undefined) return
  for (const parameter of node.inputs.slice(1)) {
    const dims = coupling.constant(parameter)?.dims
    if (dims?.[0] !== given.ids.length || given.ids.length === 1) continue
    coupling.axisBindings.push({ node, initializer: parameter, axis: 0, role: 'follows', ids: given.ids })
  }
  coupling.set(node.outputs[0], given.ids, given.rank)
}

/** Pad: unary while no channel is added. */
export function couplePad(node: Node, coupling: Coupling): void {
  const given = coupling.of(node.inputs[0])
  if (given === undefined) return
  const pads = coupling.integers(node, 1) ?? []
  const untouched =
    pads.length === 2 * given.rank && pads[channelAxis] === 0 && pads[given.rank + channelAxis] === 0
  if (untouched) coupling.set(node.outputs[0], given.ids, given.rank)
  else coupling.freezeInputs(node, `${node.name} (Pad) may add channels`)
}

/** Resize: unary; where target sizes are given instead of scales, the one of the channel axis counts channels. */
export function coupleResize(node: Node, coupling: Coupling): void {
  const given = coupling.of(node.inputs[0])
  if (given === undefined) return
  const sizes = coupling.integers(node, 3)
  if (sizes !== undefined && sizes.length > 0) {
    const parts = sizes.map((size, axis) => (axis === channelAxis ? given.ids : size))
    coupling.countBindings.push({ node, place: { input: 3 }, parts })
  } else if (coupling.constant(node.inputs[node.inputs.length > 2 ? 2 : 1])?.data[channelAxis] !== 1) {
    coupling.freezeInputs(node, `${node.name} (Resize) may scale the channel axis`)
    return
  }
  coupling.set(node.outputs[0], given.ids, given.rank)
}

/** ReduceMean, ReduceMax and ReduceSum: unary while they keep the channel axis and its place. */
export function coupleReduction(node: Node, coupling: Coupling): void {
  const given = coupling.of(node.inputs[0])
  if (given === undefined) return
  const keeps = node.attributes.get('keepdims')
  const listed = node.attributes.get('axes')
  const axes = listed?.kind === 'ints' ? listed.value : coupling.integers(node, 1)
  const spatial = axes?.every((axis) => (axis + given.rank) % given.rank > channelAxis) ?? false
  if (spatial && !(keeps?.kind === 'int' && keeps.value === 0)) {
    coupling.set(node.outputs[0], given.ids, given.rank)
  } else coupling.freezeInputs(node, `${node.name} (${node.opType}) reduces the channel axis`)
}
