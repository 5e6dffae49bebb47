/**
 * The first convolution on groups of four pixels.
 * Before:  Conv 3x3, stride 2, pad 1, from [H, W, 3] to [H/2, W/2, M]
 * After:   the picture read as [H, W/4, 12], Conv 3x2, stride (2, 1), to [H/2, W/4, 2M], read as [H/2, W/2, M]
 * Conditions: channels last, 3 input channels, no group, W a multiple of 4.
 * Exact: each output adds the same products; the other taps of the larger kernel are zero. Rows of 12 bytes suit the
 * vector instructions, rows of 3 do not (1.05 x on the whole int8 model).
 */
/* eslint-disable max-depth -- a search over nested grids */

import { intOf, intsOf } from '../../onnx/attributes.js'
import type { Node } from '../../onnx/graph.js'
import type { QuantizedWeight } from './weights.js'

/** Pixels of a group, and outputs that one group makes. */
const pixels = 4
const outputsPerGroup = 2

/** Whether the convolution over a picture `width` wide can be folded. */
export function isFoldable(node: Node, weight: QuantizedWeight, width: number): boolean {
  const [, channels, height, columns] = weight.dims
  return (
    channels === 3 &&
    height === 3 &&
    columns === 3 &&
    width % pixels === 0 &&
    intOf(node, 'group', 1) === 1 &&
    (intsOf(node, 'strides') ?? []).join() === '2,2' &&
    (intsOf(node, 'pads') ?? []).join() === '1,1,1,1' &&
    (intsOf(node, 'dilations') ?? [1, 1]).join() === '1,1'
  )
}

/** The weight `[2M, 12, 3, 2]` of the folded convolution. */
export function foldWeight(weight: QuantizedWeight): QuantizedWeight {
  const filters = weight.dims[0]!
  const inputs = 3 * pixels
  const integers = new Int8Array(outputsPerGroup * filters * inputs * 6)
  for (let output = 0; output < outputsPerGroup; output++) {
    for (let filter = 0; filter < filters; filter++) {
      const row = output * filters + filter
      for (let column = 0; column < 3; column++) {
        // The pixel this tap reads, from the first of the current group; -1 is the last of the group before.
        const pixel = 2 * output - 1 + column
        const group = pixel < 0 ? 0 : 1
        for (let channel = 0; channel < 3; channel++) {
          const input = ((pixel + pixels) % pixels) * 3 + channel
          for (let line = 0; line < 3; line++) {
            integers[((row * inputs + input) * 3 + line) * 2 + group] =
              weight.integers[((filter * 3 + channel) * 3 + line) * 3 + column]!
          }
        }
      }
    }
  }
  const scales = new Float32Array(outputsPerGroup * filters)
  for (let row = 0; row < scales.length; row++) scales[row] = weight.scales[row % filters]!
  return { dims: [outputsPerGroup * filters, inputs, 3, 2], integers, scales }
}

/** `values` once per output of a group. */
export function foldBias(values: Float32Array): Float32Array {
  const folded = new Float32Array(outputsPerGroup * values.length)
  for (let output = 0; output < outputsPerGroup; output++) folded.set(values, output * values.length)
  return folded
}
