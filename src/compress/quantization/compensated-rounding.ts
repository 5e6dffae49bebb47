/**
 * Rounding with compensation: the columns of a weight are rounded one after the other, and what the rounding of one
 * takes away is given to those that are still free, as the second moments of the input say (optimal brain
 * quantisation in fixed order: Frantar et al., OBQ 2022 and GPTQ 2023). The bias comes last and takes the rest.
 * Invariant: scales are those of plain rounding, and every integer lies in the n-bit range.
 */

import type { Node } from '../../onnx/graph.js'
import { floatTensor } from '../../onnx/tensor.js'
import { packRows } from '../restoration/packed-weights.js'
import type { InputMoments } from '../restoration/input-moments.js'
import type { Matrix, ProductSum } from '../restoration/matrix-products.js'
import { inverseFactor } from '../sparsity/compensated-zeros.js'
import { type AffineParams, affineParams, dequantizeValue, quantizeValue, weightFormat } from './affine.js'
import {
  type ConvolutionTable,
  quantizedConvolutions,
  roundConvolutions,
  roundToNearest,
  weightOf,
} from './integer-convolution.js'
import type { QuantizationPlan } from './quantization-plan.js'
import { floatBiasOf, weightScales } from './weights.js'

/** Part of the mean diagonal that is added to the moments. */
const ridge = 0.01

/**
 * Rounds the weights of `plan` to `bits` bits; convolutions without moments are rounded to the nearest. `floors` are the smallest
 * scales of the rows of a convolution.
 */
export function roundWithCompensation(
  plan: QuantizationPlan,
  moments: InputMoments,
  bits: number,
  floors: (node: Node) => Float32Array,
): ConvolutionTable {
  const table = new Map(roundConvolutions(plan, roundToNearest(bits, floors)))
  for (const node of quantizedConvolutions(plan)) {
    const product = moments.get(node.name)
    if (product === undefined) continue
    const weight = weightOf(plan, node)
    const bias = floatTensor([weight.dims[0]!], floatBiasOf(plan.graph, node, weight.dims[0]!))
    const constants = new Map([
      [node.inputs[1]!, weight],
      [node.inputs[2]!, bias],
    ])
    const scales = weightScales(weight, bits, floors(node))
    const { low, high } = affineParams(-1, 1, weightFormat(bits))
    const params = Array.from(scales, (scale) => ({ scale, zeroPoint: 0, low, high }))
    const { integers, bias: rest } = roundRows(packRows(node, constants), params, product)
    table.set(node.name, {
      weight: { dims: weight.dims, integers: Int8Array.from(integers), scales },
      bias: rest,
    })
  }
  return table
}

/** The integers `[outputs, unknowns - 1]` of packed rows and what is left for the bias. One of `params` an output. */
export function roundRows(
  { rows: outputs, columns: n, data }: Matrix,
  params: readonly AffineParams[],
  moments: ProductSum,
): { readonly integers: Int16Array; readonly bias: Float32Array } {
  const upper = inverseFactor(moments, ridge)
  const integers = new Int16Array(outputs * (n - 1))
  const bias = new Float32Array(outputs)
  const row = new Float64Array(n)
  for (let output = 0; output < outputs; output++) {
    const format = params[output]!
    row.set(data.subarray(output * n, (output + 1) * n))
    for (let column = 0; column < n - 1; column++) {
      const integer = quantizeValue(row[column]!, format)
      integers[output * (n - 1) + column] = integer
      const base = column * n
      const error = (row[column]! - dequantizeValue(integer, format)) / upper[base + column]!
      for (let later = column + 1; later < n; later++) row[later]! -= error * upper[base + later]!
    }
    bias[output] = row[n - 1]!
  }
  return { integers, bias }
}
