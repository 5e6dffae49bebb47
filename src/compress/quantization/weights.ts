/**
 * Convolution weights as integers: symmetric, one scale per output channel.
 * Invariant: zero weights stay zero (pruned channels stay pruned), and the integers lie in the symmetric n-bit range.
 */

import type { Graph, Node } from '../../onnx/graph.js'
import type { FloatTensor } from '../../onnx/tensor.js'
import { affineParams, quantizeValue, weightFormat } from './affine.js'

export interface QuantizedWeight {
  /** As the float weight: `[M, C / group, kH, kW]`. */
  readonly dims: readonly number[]
  readonly integers: Int8Array
  /** One per output channel. */
  readonly scales: Float32Array
}

/** The float weight of a convolution, or undefined where it is none or no constant. */
export function floatWeightOf(graph: Graph, node: Node): FloatTensor | undefined {
  const tensor = graph.initializers.get(node.inputs[1] ?? '')
  return tensor?.type === 'float32' && tensor.dims.length === 4 ? tensor : undefined
}

/** The float bias of a convolution: zeros where it has none. */
export function floatBiasOf(graph: Graph, node: Node, channels: number): Float32Array {
  const tensor = graph.initializers.get(node.inputs[2] ?? '')
  return tensor?.type === 'float32' ? tensor.data : new Float32Array(channels)
}

/** Rounds a weight to `bits` (2..8) bits per channel; each channel's largest magnitude takes the largest integer. */
export function quantizeWeight(weight: FloatTensor, bits: number): QuantizedWeight {
  const channels = weight.dims[0]!
  const size = channels === 0 ? 0 : weight.data.length / channels
  const integers = new Int8Array(weight.data.length)
  const scales = new Float32Array(channels)
  const format = weightFormat(bits)
  for (let channel = 0; channel < channels; channel++) {
    const row = weight.data.subarray(channel * size, (channel + 1) * size)
    let largest = 0
    for (const value of row) largest = Math.max(largest, Math.abs(value))
    const params = affineParams(-largest, largest, format)
    scales[channel] = params.scale
    for (let index = 0; index < size; index++) {
      integers[channel * size + index] = quantizeValue(row[index]!, params)
    }
  }
  return { dims: weight.dims, integers, scales }
}

/** The real weights that the integers stand for. */
export function dequantizedWeight(weight: QuantizedWeight): Float32Array {
  const size = weight.integers.length / weight.scales.length
  return Float32Array.from(
    weight.integers,
    (integer, index) => integer * weight.scales[Math.floor(index / size)]!,
  )
}
