/** Coupling rules of the operators that mix channels by weights: Conv and ConvTranspose. */

import type { Node } from '../../../onnx/graph.js'
import { type Coupling, channelAxis } from '../coupling.js'
import { intOf } from '../../../onnx/attributes.js'

/**
 * Conv: column i of the weight reads input channel i, row o makes output channel o. In a grouped convolution the
 * channels at equal places of all groups live and die together, so that the groups stay equal. In a depthwise
 * convolution the output channel is the input channel, and the `group` attribute counts them.
 */
export function coupleConv(node: Node, coupling: Coupling): void {
  const [input, weight, bias] = node.inputs
  const dims = coupling.weightDims(weight)
  const given = coupling.of(input)
  if (dims === undefined || dims.length < 3) {
    coupling.freezeInputs(node, `${node.name} (Conv) computes its weight`)
    return
  }
  const group = intOf(node, 'group', 1)
  const [rows, columns] = [dims[0]!, dims[1]!]
  if (group > 1 && columns === 1 && given !== undefined) {
    coupleDepthwise(node, coupling, { ids: given.ids, rows, rank: dims.length })
    return
  }
  if (given !== undefined) {
    const ids = given.ids.slice(0, columns)
    coupleGroups(coupling, given.ids, group)
    coupling.bindWeight(weight, { node, axis: channelAxis, role: 'consumes', ids })
  }
  const made = coupling.ids.fresh(rows)
  coupleGroups(coupling, made, group)
  coupling.bindWeight(weight, { node, axis: 0, role: 'produces', ids: made })
  coupling.bindWeight(bias, { node, axis: 0, role: 'produces', ids: made })
  coupling.set(node.outputs[0], made, dims.length)
}

function coupleDepthwise(
  node: Node,
  coupling: Coupling,
  shape: { readonly ids: Int32Array; readonly rows: number; readonly rank: number },
): void {
  const multiplier = shape.rows / shape.ids.length
  const made = Int32Array.from({ length: shape.rows }, (_, row) => shape.ids[Math.floor(row / multiplier)]!)
  coupling.bindWeight(node.inputs[1], { node, axis: 0, role: 'produces', ids: made })
  coupling.bindWeight(node.inputs[2], { node, axis: 0, role: 'produces', ids: made })
  coupling.countBindings.push({ node, place: { attribute: 'group', scalar: true }, parts: [shape.ids] })
  coupling.set(node.outputs[0], made, shape.rank)
}

function coupleGroups(coupling: Coupling, ids: Int32Array, group: number): void {
  const size = ids.length / group
  for (let at = 1; at < group; at++) {
    coupling.ids.joinAll(ids.slice(0, size), ids.slice(at * size, (at + 1) * size), 'a grouped convolution')
  }
}

/** ConvTranspose: as Conv with the two axes of the weight exchanged; with groups its channels stay. */
export function coupleConvTranspose(node: Node, coupling: Coupling): void {
  const [input, weight, bias] = node.inputs
  const dims = coupling.weightDims(weight)
  if (dims === undefined || intOf(node, 'group', 1) !== 1) {
    coupling.freezeInputs(node, `${node.name} (ConvTranspose) has groups or computes its weight`)
    return
  }
  const given = coupling.of(input)
  if (given !== undefined) coupling.bindWeight(weight, { node, axis: 0, role: 'consumes', ids: given.ids })
  const made = coupling.ids.fresh(dims[1]!)
  coupling.bindWeight(weight, { node, axis: 1, role: 'produces', ids: made })
  coupling.bindWeight(bias, { node, axis: 0, role: 'produces', ids: made })
  coupling.set(node.outputs[0], made, dims.length)
}
