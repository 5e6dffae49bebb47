/**
 * Folds batch norm into the convolution before it, as a trained network is deployed.
 * Invariant: the outputs stay the same but for rounding; weights keep their names, the new bias is called like them.
 */

import { AgentError } from '../base/errors.js'
import { floatOf } from '../onnx/attributes.js'
import { type Graph, indexOf, type Node, type ValueName } from '../onnx/graph.js'
import { applyPatch } from '../onnx/patch.js'
import { floatTensor, type FloatTensor, type Tensor } from '../onnx/tensor.js'

/**
 * A graph without batch norm: w' = w * g / sqrt(v + e), b' = (b - m) * g / sqrt(v + e) + beta, per output channel.
 * Throws `model.op_unsupported` for a batch norm that follows no convolution of its own.
 */
export function foldBatchNorm(graph: Graph): Graph {
  const { producerOf, usersOf } = indexOf(graph)
  const removed: Node[] = []
  const added: Node[] = []
  const initializers: [ValueName, Tensor][] = []
  for (const norm of graph.nodes) {
    if (norm.opType !== 'BatchNormalization') continue
    const conv = producerOf(norm.inputs[0] ?? '')
    if (conv?.opType !== 'Conv' || usersOf(conv.outputs[0] ?? '').length !== 1) {
      throw new AgentError(
        'model.op_unsupported',
        `batch norm ${norm.name} cannot be folded: it does not follow a convolution of its own`,
      )
    }
    const weightName = conv.inputs[1]!
    const biasName = conv.inputs[2] ?? weightName.replace(/weight$/, 'bias')
    const { weight, bias } = foldedWeights(graph, conv, norm)
    initializers.push([weightName, weight], [biasName, bias])
    removed.push(conv, norm)
    added.push({ ...conv, inputs: [conv.inputs[0]!, weightName, biasName], outputs: [norm.outputs[0]!] })
  }
  return removed.length === 0 ? graph : applyPatch(graph, { remove: removed, add: added, initializers })
}

function foldedWeights(
  graph: Graph,
  conv: Node,
  norm: Node,
): { readonly weight: FloatTensor; readonly bias: FloatTensor } {
  const [gamma, beta, mean, variance] = norm.inputs.slice(1).map((name) => floatsIn(graph, name, norm))
  const weight = floatsIn(graph, conv.inputs[1]!, conv)
  const oldBias = conv.inputs[2] === undefined ? undefined : floatsIn(graph, conv.inputs[2], conv)
  const epsilon = floatOf(norm, 'epsilon', 1e-5)
  const channels = weight.dims[0]!
  const each = weight.data.length / channels
  const data = new Float32Array(weight.data.length)
  const bias = new Float32Array(channels)
  for (let channel = 0; channel < channels; channel++) {
    const factor = gamma!.data[channel]! / Math.sqrt(variance!.data[channel]! + epsilon)
    bias[channel] = ((oldBias?.data[channel] ?? 0) - mean!.data[channel]!) * factor + beta!.data[channel]!
    for (let at = channel * each; at < (channel + 1) * each; at++) data[at] = weight.data[at]! * factor
  }
  return { weight: floatTensor(weight.dims, data), bias: floatTensor([channels], bias) }
}

function floatsIn(graph: Graph, name: ValueName, owner: Node): FloatTensor {
  const tensor = graph.initializers.get(name)
  if (tensor?.type === 'float32') return tensor
  throw new AgentError(
    'model.op_unsupported',
    `${owner.opType} ${owner.name} cannot be folded: ${name} is no constant float32 tensor`,
  )
}
