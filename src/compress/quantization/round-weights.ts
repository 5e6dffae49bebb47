/**
 * A float graph whose convolution weights lie on an n-bit grid: what a number of bits costs by itself, whatever the
 * hardware can compute with.
 * Invariant: shapes and nodes are untouched; activations stay float.
 */

import { present } from '../../base/assert.js'
import type { Graph } from '../../onnx/graph.js'
import { applyPatch } from '../../onnx/patch.js'
import { floatTensor, type FloatTensor, type Tensor } from '../../onnx/tensor.js'
import type { InputMoments } from '../restoration/input-moments.js'
import { packRows } from '../restoration/packed-weights.js'
import {
  type AffineParams,
  affineParams,
  dequantizeValue,
  quantizeValue,
  rangeOf,
  weightFormat,
} from './affine.js'
import { roundRows } from './compensated-rounding.js'
import { floatWeightOf, weightScales } from './weights.js'

/**
 * `linear`: S = (max - min) / (2^n - 1) with a zero point, over the exact range of a channel.
 * `symmetric`: zero point 0, the range that the int8 models have (clipped to the least error below 7 bits).
 */
export const weightSchemes = ['linear', 'symmetric'] as const
export type WeightScheme = (typeof weightSchemes)[number]

/** `graph` with its weights rounded to `bits` bits (2..8): to the nearest, or with compensation where `moments` are given. */
export function roundWeights(
  graph: Graph,
  bits: number,
  scheme: WeightScheme,
  moments: InputMoments | undefined,
): Graph {
  const initializers = new Map<string, Tensor>()
  for (const node of graph.nodes) {
    const weight = node.opType === 'Conv' ? floatWeightOf(graph, node) : undefined
    if (weight === undefined) continue
    const params = channelParams(weight, bits, scheme)
    const [, weightName = '', biasName] = node.inputs
    const product = moments?.get(node.name)
    if (product === undefined || biasName === undefined) {
      const size = weight.data.length / params.length
      const rounded = weight.data.map((value, index) => onGrid(value, params[Math.floor(index / size)]!))
      initializers.set(weightName, floatTensor(weight.dims, rounded))
      continue
    }
    const bias = present(graph.initializers.get(biasName), `${biasName} is a constant`)
    const constants = new Map<string, Tensor>([
      [weightName, weight],
      [biasName, bias],
    ])
    const { integers, bias: rest } = roundRows(packRows(node, constants), params, product)
    const size = integers.length / params.length
    const real = Float32Array.from(integers, (integer, index) =>
      dequantizeValue(integer, params[Math.floor(index / size)]!),
    )
    initializers.set(weightName, floatTensor(weight.dims, real))
    initializers.set(biasName, floatTensor(bias.dims, rest))
  }
  return applyPatch(graph, { initializers })
}

function channelParams(weight: FloatTensor, bits: number, scheme: WeightScheme): readonly AffineParams[] {
  if (scheme === 'symmetric') {
    const { low, high } = affineParams(-1, 1, weightFormat(bits))
    return Array.from(weightScales(weight, bits), (scale) => ({ scale, zeroPoint: 0, low, high }))
  }
  const channels = weight.dims[0]!
  const size = weight.data.length / channels
  return Array.from({ length: channels }, (_, channel) => {
    const { min, max } = rangeOf(weight.data.subarray(channel * size, (channel + 1) * size))
    return affineParams(min, max, { bits, symmetric: false, signed: false, narrow: false })
  })
}

function onGrid(value: number, params: AffineParams): number {
  return dequantizeValue(quantizeValue(value, params), params)
}
