/**
 * The integer constants of convolutions, shared by both int8 forms.
 * Invariant: bias integers have scale `input scale * weight scale[channel]`, and the scale of a row is never so small that its bias
 * would not fit into an accumulator of 32 bits beside the products: rows of weights near zero keep what they add.
 */

import { present } from '../../base/assert.js'
import type { Node, ValueName } from '../../onnx/graph.js'
import type { FloatTensor } from '../../onnx/tensor.js'
import { roundHalfToEven } from '../../base/numeric.js'
import type { AffineParams } from './affine.js'
import type { QuantizationPlan } from './quantization-plan.js'
import { floatBiasOf, floatWeightOf, type QuantizedWeight, quantizeWeight, weightScales } from './weights.js'

/** What a convolution computes with, once its weight is rounded. */
export interface ConvolutionConstants {
  readonly weight: QuantizedWeight
  /** In float; it may differ from the float model's to make up for what rounding takes away. */
  readonly bias: Float32Array
}

/** By node name, for every quantised convolution of a plan. */
export type ConvolutionTable = ReadonlyMap<string, ConvolutionConstants>

/** Rounds a weight to n bits; the second argument is the node it belongs to. */
export type RoundWeight = (weight: FloatTensor, node: Node) => QuantizedWeight

/**
 * The largest magnitude of a bias on the scale of the accumulators. As much again is left for the products: 255 * 127 for each of 33 000
 * weights of a row. Runtimes that round float biases themselves (ONNX Runtime does, between QuantizeLinear and DequantizeLinear) use the same
 * scale and 32 bits.
 */
export const biasIntegerMax = 2 ** 30

/** The smallest scale of each row with which its bias stays within `biasIntegerMax`; 0 where the bias is 0. */
export function weightScaleFloors(bias: Float32Array, inputScale: number): Float32Array {
  return bias.map((value) => Math.abs(value) / (biasIntegerMax * inputScale))
}

/** The floors of the weight scales of each quantised convolution of `plan`, by the scale of its input. */
export function floorsIn(
  plan: QuantizationPlan,
  scales: ReadonlyMap<ValueName, AffineParams>,
): (node: Node) => Float32Array {
  return (node) => {
    const [input = ''] = node.inputs
    const { scale } = present(scales.get(input), `${input} has a scale`)
    return weightScaleFloors(floatBiasOf(plan.graph, node, weightOf(plan, node).dims[0]!), scale)
  }
}

/** How many rows of each convolution have a scale that was raised to hold their bias; convolutions without any are left out. */
export function raisedRows(
  plan: QuantizationPlan,
  scales: ReadonlyMap<ValueName, AffineParams>,
  bits: number,
): ReadonlyMap<string, number> {
  const floors = floorsIn(plan, scales)
  const counts = quantizedConvolutions(plan).map((node) => {
    const weight = weightOf(plan, node)
    const own = weightScales(weight, bits)
    const raised = weightScales(weight, bits, floors(node))
    return [node.name, raised.filter((scale, row) => scale > own[row]!).length] as const
  })
  return new Map(counts.filter(([, count]) => count > 0))
}

/** Rounds each weight to the nearest integer of `bits` bits. */
export function roundToNearest(bits: number, floors?: (node: Node) => Float32Array): RoundWeight {
  return (weight, node) => quantizeWeight(weight, bits, floors?.(node))
}

/** The convolutions that `plan` computes on integers. */
export function quantizedConvolutions(plan: QuantizationPlan): readonly Node[] {
  return plan.graph.nodes.filter((node) => node.opType === 'Conv' && plan.quantized.has(node.name))
}

/** The float weight of a quantised convolution. */
export function weightOf(plan: QuantizationPlan, node: Node): FloatTensor {
  return present(floatWeightOf(plan.graph, node), `${node.name} has a constant float weight`)
}

/** Rounds the weights of `plan`; biases stay as they are in the float model. */
export function roundConvolutions(plan: QuantizationPlan, round: RoundWeight): ConvolutionTable {
  return new Map(
    quantizedConvolutions(plan).map((node) => {
      const weight = round(weightOf(plan, node), node)
      return [node.name, { weight, bias: floatBiasOf(plan.graph, node, weight.scales.length) }]
    }),
  )
}

/** The bias as integers on the scale of the accumulators. */
export function integerBias(bias: Float32Array, inputScale: number, weightScales: Float32Array): Int32Array {
  return Int32Array.from(bias, (value, channel) => {
    const integer = roundHalfToEven(value / (inputScale * weightScales[channel]!))
    return Math.min(2 ** 31 - 1, Math.max(-(2 ** 31), integer))
  })
}
