/**
 * Writes the int8 model as float operators between QuantizeLinear and DequantizeLinear, for runtimes that find the
 * integer operators themselves.
 * Invariant: each value that a quantised node reads has one pair, and all its readers are behind it. Inputs and
 * outputs of the graph keep name, type and shape; outputs are not rounded.
 *
 *      x -- Q -- DQ --\
 *      w int8 -- DQ ---- Conv -- Q -- DQ -- ...
 *      b int32 - DQ --/
 */

import { intAttribute } from '../../onnx/attributes.js'
import type { Graph, Node, ValueName } from '../../onnx/graph.js'
import { applyPatch } from '../../onnx/patch.js'
import { present } from '../../base/assert.js'
import { GraphBuilder } from './graph-builder.js'
import { integerBias } from './integer-convolution.js'
import { activationInputs, type QuantizationPlan } from './quantization-plan.js'
import type { WriteOptions } from './write-integer.js'

export interface QdqOptions extends WriteOptions {
  /** False keeps biases in float. */
  readonly integerBias: boolean
}

/** The QDQ graph of `plan`. */
export function writeQdq(plan: QuantizationPlan, options: QdqOptions): Graph {
  return withPairs(plan, options.scales, (builder, node) =>
    plan.quantized.has(node.name) && node.opType === 'Conv'
      ? [node.inputs[0]!, ...convolutionConstants(builder, options, node)]
      : node.inputs,
  )
}

/**
 * The graph of `plan` with the activations rounded as the int8 model rounds them, weights and biases in float under their own names:
 * what training computes with, so that the weights learn to live with the rounding.
 */
export function writeFakeActivations(plan: QuantizationPlan, scales: WriteOptions['scales']): Graph {
  return withPairs(plan, scales, (_, node) => node.inputs)
}

function withPairs(
  plan: QuantizationPlan,
  scales: WriteOptions['scales'],
  inputsOf: (builder: GraphBuilder, node: Node) => readonly ValueName[],
): Graph {
  const { graph } = plan
  const builder = new GraphBuilder()
  const quantized = graph.nodes.filter((node) => plan.quantized.has(node.name))
  const paired = new Set(quantized.flatMap((node) => activationInputs(graph, node)))
  for (const value of paired) {
    const params = builder.params(present(scales.get(value), `${value} has a scale`))
    builder.op('QuantizeLinear', [value, ...params], [`${value}/int8`])
    builder.op('DequantizeLinear', [`${value}/int8`, ...params], [dequantizedName(value)])
  }
  for (const node of graph.nodes) {
    const read = inputsOf(builder, node).map((input) => (paired.has(input) ? dequantizedName(input) : input))
    builder.nodes.push({ ...node, inputs: read })
  }
  return applyPatch(graph, { remove: graph.nodes, add: builder.nodes, initializers: builder.initializers })
}

function dequantizedName(value: ValueName): ValueName {
  return `${value}/dequantized`
}

/** Weight and bias of a convolution behind their DequantizeLinear. */
function convolutionConstants(builder: GraphBuilder, options: QdqOptions, node: Node): readonly ValueName[] {
  const [input = ''] = node.inputs
  const { weight, bias } = present(options.convolutions.get(node.name), `${node.name} has integer constants`)
  const channels = weight.scales.length
  const perChannel = { attributes: { axis: intAttribute(0) } }
  const weightName = `${node.name}/weight`
  const constants = [
    builder.constant(`${weightName}_int8`, { type: 'int8', dims: weight.dims, data: weight.integers }),
    builder.constant(`${weightName}_scale`, { type: 'float32', dims: [channels], data: weight.scales }),
    builder.constant(`${weightName}_zero`, { type: 'int8', dims: [channels], data: new Int8Array(channels) }),
  ]
  builder.op('DequantizeLinear', constants, [weightName], perChannel)
  const biasName = `${node.name}/bias`
  if (!options.integerBias) {
    builder.constant(biasName, { type: 'float32', dims: [channels], data: bias })
    return [weightName, biasName]
  }
  const { scale } = present(options.scales.get(input), `${input} has a scale`)
  const biasScales = weight.scales.map((weightScale) => weightScale * scale)
  const integers = integerBias(bias, scale, weight.scales)
  const biasConstants = [
    builder.constant(`${biasName}_int32`, { type: 'int32', dims: [channels], data: integers }),
    builder.constant(`${biasName}_scale`, { type: 'float32', dims: [channels], data: biasScales }),
    builder.constant(`${biasName}_zero`, { type: 'int32', dims: [channels], data: new Int32Array(channels) }),
  ]
  builder.op('DequantizeLinear', biasConstants, [biasName], perChannel)
  return [weightName, biasName]
}
