/**
 * Rounding with compensation: the columns of a weight are rounded one after the other, and what the rounding of one
 * takes away is given to those that are still free, as the second moments of the input say (optimal brain
 * quantisation in fixed order: Frantar et al., OBQ 2022 and GPTQ 2023). The bias comes last and takes the rest.
 * Invariant: scales are those of plain rounding, and every integer lies in the n-bit range.
 */

import { floatTensor } from '../../onnx/tensor.js'
import { packRows } from '../restoration/packed-weights.js'
import type { InputMoments } from '../restoration/input-moments.js'
import type { ProductSum } from '../restoration/matrix-products.js'
import { inverseFactor } from '../sparsity/compensated-zeros.js'
import { affineParams, quantizeValue, weightFormat } from './affine.js'
import {
  type ConvolutionConstants,
  type ConvolutionTable,
  quantizedConvolutions,
  roundConvolutions,
  roundToNearest,
  weightOf,
} from './integer-convolution.js'
import type { QuantizationPlan } from './quantization-plan.js'
import { floatBiasOf, type QuantizedWeight, weightScales } from './weights.js'

/** Part of the mean diagonal that is added to the moments. */
const ridge = 0.01

/** Rounds the weights of `plan` to `bits` bits; convolutions without moments are rounded to the nearest. */
export function roundWithCompensation(
  plan: QuantizationPlan,
  moments: InputMoments,
  bits: number,
): ConvolutionTable {
  const table = new Map(roundConvolutions(plan, roundToNearest(bits)))
  for (const node of quantizedConvolutions(plan)) {
    const product = moments.get(node.name)
    if (product === undefined) continue
    const weight = weightOf(plan, node)
    const bias = floatTensor([weight.dims[0]!], floatBiasOf(plan.graph, node, weight.dims[0]!))
    const constants = new Map([
      [node.inputs[1]!, weight],
      [node.inputs[2]!, bias],
    ])
    const scales = weightScales(weight, bits)
    table.set(node.name, rounded(packRows(node, constants), { dims: weight.dims, scales, bits }, product))
  }
  return table
}

function rounded(
  { rows: outputs, columns: n, data }: ReturnType<typeof packRows>,
  { dims, scales, bits }: Pick<QuantizedWeight, 'dims' | 'scales'> & { readonly bits: number },
  moments: ProductSum,
): ConvolutionConstants {
  const upper = inverseFactor(moments, ridge)
  const { low, high } = affineParams(-1, 1, weightFormat(bits))
  const integers = new Int8Array(outputs * (n - 1))
  const bias = new Float32Array(outputs)
  const row = new Float64Array(n)
  for (let output = 0; output < outputs; output++) {
    const params = { scale: scales[output]!, zeroPoint: 0, low, high }
    row.set(data.subarray(output * n, (output + 1) * n))
    for (let column = 0; column < n - 1; column++) {
      const integer = quantizeValue(row[column]!, params)
      integers[output * (n - 1) + column] = integer
      const base = column * n
      const error = (row[column]! - integer * params.scale) / upper[base + column]!
      for (let later = column + 1; later < n; later++) row[later]! -= error * upper[base + later]!
    }
    bias[output] = row[n - 1]!
  }
  return { weight: { dims, integers, scales }, bias }
}
