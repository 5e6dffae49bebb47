/**
 * Bias correction: rounding of weights and activations moves the mean of what a convolution adds up; its bias takes
 * that back.
 *
 *      b' = b + sum over inputs of ( w * mean(x) - w^ * mean(x^) )
 *
 * with x the input in the float model, x^ the same input in the int8 model, w^ the rounded weight. It is exact in the
 * mean but for the padded border (Nagel et al., Data-Free Quantization, 2019, section 4.2, with measured means).
 * Invariant: weights and scales are untouched. A correction changes the inputs of what comes after it, so several
 * passes run, each on the model that the one before corrected.
 */

import type { ValueName } from '../../onnx/graph.js'
import { type ConvolutionTable, quantizedConvolutions, weightOf } from './integer-convolution.js'
import type { QuantizationPlan } from './quantization-plan.js'
import type { QuantizedGraph } from './quantized-graph.js'
import { dequantizedWeight, floatBiasOf } from './weights.js'

export interface BiasCorrection {
  /** Channel means of convolution inputs in the float model. */
  readonly floatMeans: ReadonlyMap<ValueName, Float32Array>
  /** The int8 model with these constants. */
  readonly write: (convolutions: ConvolutionTable) => QuantizedGraph
  /** Channel means of values of an int8 model, by the names of the float model. */
  readonly observe: (
    model: QuantizedGraph,
    values: readonly ValueName[],
  ) => Promise<ReadonlyMap<ValueName, Float32Array>>
  /** How often the int8 model is run to see its means; 0 takes those of the float model. */
  readonly passes: number
}

/** The table with corrected biases. */
export async function correctBiases(
  plan: QuantizationPlan,
  rounded: ConvolutionTable,
  correction: BiasCorrection,
): Promise<ConvolutionTable> {
  const nodes = quantizedConvolutions(plan)
  const inputs = [...new Set(nodes.map((node) => node.inputs[0]!))]
  let means = correction.floatMeans
  let table = rounded
  for (let pass = 0; pass <= correction.passes; pass++) {
    table = new Map(
      nodes.map((node) => {
        const { weight } = table.get(node.name)!
        const [input = ''] = node.inputs
        const float = weightOf(plan, node)
        const expected = meanOutput(float.dims, float.data, correction.floatMeans.get(input)!)
        const actual = meanOutput(weight.dims, dequantizedWeight(weight), (means.get(input) ?? correction.floatMeans.get(input))!)
        const bias = floatBiasOf(plan.graph, node, weight.scales.length).map(
          (value, channel) => value + expected[channel]! - actual[channel]!,
        )
        return [node.name, { weight, bias }]
      }),
    )
    if (pass < correction.passes) means = await correction.observe(correction.write(table), inputs)
  }
  return table
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
