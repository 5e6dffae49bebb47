/**
 * Bias correction: rounding a weight moves the mean of what its convolution adds up; the bias takes that back.
 *
 *      b' = b + sum over inputs of (w - w^) * mean(x)
 *
 * with w^ the rounded weight and mean(x) that of the input channel in the float model. Exact in the mean, but for the
 * padded border (Nagel et al., Data-Free Quantization, 2019, section 4.2, with measured means).
 * Invariant: weights and scales are untouched.
 */

import { present } from '../../base/assert.js'
import type { ValueName } from '../../onnx/graph.js'
import { type ConvolutionTable, quantizedConvolutions, weightOf } from './integer-convolution.js'
import type { QuantizationPlan } from './quantization-plan.js'
import { dequantizedWeight } from './weights.js'

/** The constants of `table` with corrected biases. `means` has the channel means of every convolution's input. */
export function correctBiases(
  plan: QuantizationPlan,
  table: ConvolutionTable,
  means: ReadonlyMap<ValueName, Float32Array>,
): ConvolutionTable {
  return new Map(
    quantizedConvolutions(plan).map((node) => {
      const { weight, bias } = present(table.get(node.name), `${node.name} has integer constants`)
      const inputMeans = present(means.get(node.inputs[0]!), `the means of ${node.inputs[0]!} were observed`)
      const float = weightOf(plan, node)
      const rounding = dequantizedWeight(weight).map((value, index) => float.data[index]! - value)
      const shift = meanOutput(weight.dims, rounding, inputMeans)
      return [node.name, { weight, bias: bias.map((value, channel) => value + shift[channel]!) }]
    }),
  )
}

/** What a convolution of inputs with these channel means gives on average, without its bias. */
function meanOutput(dims: readonly number[], weight: Float32Array, means: Float32Array): Float64Array {
  const [channels = 0, perGroup = 0, height = 1, width = 1] = dims
  const groups = Math.max(1, Math.round(means.length / perGroup))
  const taps = height * width
  return Float64Array.from({ length: channels }, (_, channel) => {
    const firstInput = Math.floor((channel * groups) / channels) * perGroup
    let sum = 0
    for (let input = 0; input < perGroup; input++) {
      const start = (channel * perGroup + input) * taps
      let row = 0
      for (let tap = start; tap < start + taps; tap++) row += weight[tap]!
      sum += row * means[firstInput + input]!
    }
    return sum
  })
}
