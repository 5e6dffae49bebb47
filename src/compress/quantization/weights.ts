/**
 * Convolution weights as integers: symmetric, one scale per output channel.
 * Invariant: zero weights stay zero (pruned channels stay pruned), and the integers lie in the symmetric n-bit range.
 */

import type { Graph, Node } from '../../onnx/graph.js'
import type { FloatTensor } from '../../onnx/tensor.js'
import { type AffineParams, affineParams, dequantizeValue, quantizeValue, weightFormat } from './affine.js'

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

/** Shares of the largest magnitude that the search for a scale tries. */
const clipSteps = 20
/** Rows of smaller weights are rows of zeros: their scales would leave the range of float32 when multiplied. */
const negligible = 1e-28
/** From here on clipping gains nothing, and the largest weight keeps its value. */
const fullRangeBits = 7

/**
 * Rounds a weight to `bits` (2..8) bits per channel, each to the nearest integer of `weightScales`; a row whose weights
 * are all far below its floor becomes zeros.
 */
export function quantizeWeight(weight: FloatTensor, bits: number, floors?: Float32Array): QuantizedWeight {
  const scales = weightScales(weight, bits, floors)
  const size = scales.length === 0 ? 0 : weight.data.length / scales.length
  const { low, high } = affineParams(-1, 1, weightFormat(bits))
  const integers = Int8Array.from(weight.data, (value, index) => {
    const scale = scales[Math.floor(index / size)]!
    return quantizeValue(value, { scale, zeroPoint: 0, low, high })
  })
  return { dims: weight.dims, integers, scales }
}

/**
 * One scale per output channel. With few bits the largest weights are clipped: of twenty shares of the largest
 * magnitude the one with the least squared error; from 7 bits on all of it. No scale lies below its channel's of `floors`.
 */
export function weightScales(weight: FloatTensor, bits: number, floors?: Float32Array): Float32Array {
  const channels = weight.dims[0]!
  const size = channels === 0 ? 0 : weight.data.length / channels
  return Float32Array.from({ length: channels }, (_, channel) => {
    const row = weight.data.subarray(channel * size, (channel + 1) * size)
    let largest = 0
    for (const value of row) largest = Math.max(largest, Math.abs(value))
    const floor = floors?.[channel] ?? 0
    // A row of nothing has no scale of its own: that of its bias serves best.
    return largest < negligible && floor > 0 ? floor : Math.max(floor, scaleOfRow(row, largest, bits))
  })
}

function scaleOfRow(row: Float32Array, largest: number, bits: number): number {
  const format = weightFormat(bits)
  let best = affineParams(-largest, largest, format)
  if (bits >= fullRangeBits || largest === 0) return best.scale
  let least = squaredError(row, best)
  for (let step = 1; step < clipSteps; step++) {
    const reach = largest * (1 - step / (clipSteps + 5))
    const params = affineParams(-reach, reach, format)
    const error = squaredError(row, params)
    if (error >= least) continue
    least = error
    best = params
  }
  return best.scale
}

function squaredError(row: Float32Array, params: AffineParams): number {
  let sum = 0
  for (const value of row) sum += (value - dequantizeValue(quantizeValue(value, params), params)) ** 2
  return sum
}

/** The real weights that the integers stand for. */
export function dequantizedWeight(weight: QuantizedWeight): Float32Array {
  const size = weight.integers.length / weight.scales.length
  return Float32Array.from(
    weight.integers,
    (integer, index) => integer * weight.scales[Math.floor(index / size)]!,
  )
}
