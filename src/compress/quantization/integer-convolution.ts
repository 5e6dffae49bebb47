/**
 * The integer constants of a convolution, shared by both int8 forms.
 * Invariant: bias integers have scale `input scale * weight scale[channel]` and fit into int32.
 */

import { present } from '../../base/assert.js'
import type { Graph, Node } from '../../onnx/graph.js'
import type { FloatTensor } from '../../onnx/tensor.js'
import { roundHalfEven } from './affine.js'
import { floatBiasOf, floatWeightOf, type QuantizedWeight, quantizeWeight, roundingBias } from './weights.js'

export interface IntegerConvolution {
  readonly weight: QuantizedWeight
  /** In float, with the correction for the weight's rounding. */
  readonly bias: Float32Array
}

/** Rounds a weight to n bits; the second argument is the node it belongs to. */
export type RoundWeight = (weight: FloatTensor, node: Node) => QuantizedWeight

/** Rounds each weight to the nearest integer of `bits` bits. */
export function roundToNearest(bits: number): RoundWeight {
  return (weight) => quantizeWeight(weight, bits)
}

/** The constants of the convolution `node`; `inputMeans` (by channel) turns bias correction on. */
export function integerConvolution(
  graph: Graph,
  node: Node,
  round: RoundWeight,
  inputMeans: Float32Array | undefined,
): IntegerConvolution {
  const float = present(floatWeightOf(graph, node), `${node.name} has a constant float weight`)
  const weight = round(float, node)
  const bias = Float32Array.from(floatBiasOf(graph, node, weight.scales.length))
  if (inputMeans !== undefined) {
    const shift = roundingBias(float, weight, inputMeans)
    for (let channel = 0; channel < bias.length; channel++) bias[channel]! += shift[channel]!
  }
  return { weight, bias }
}

/** The bias as integers on the scale of the accumulators. */
export function integerBias(bias: Float32Array, inputScale: number, weightScales: Float32Array): Int32Array {
  return Int32Array.from(bias, (value, channel) => {
    const integer = roundHalfEven(value / (inputScale * weightScales[channel]!))
    return Math.min(2 ** 31 - 1, Math.max(-(2 ** 31), integer))
  })
}
