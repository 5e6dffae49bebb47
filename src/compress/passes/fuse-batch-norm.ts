/**
 * Folds batch normalisation into the convolution before it.
 * Before:  x -> Conv w, b -> BatchNormalization gamma, beta, mean, variance -> users
 * After:   x -> Conv w * s, (b - mean) * s + beta -> users,  s = gamma / sqrt(variance + epsilon) per output channel
 * Conditions: constant weights; nobody else reads what is between. Exact up to rounding: the products are taken in double.
 */

import { floatOf } from '../../onnx/attributes.js'
import { type Graph, indexOf, type Node } from '../../onnx/graph.js'
import { type FloatTensor, floatTensor } from '../../onnx/tensor.js'
import type { Pass } from '../run-passes.js'

interface Fusion {
  readonly convolution: Node
  readonly norm: Node
  readonly fused: Node
  readonly initializers: readonly (readonly [string, FloatTensor])[]
}

export const fuseBatchNorm: Pass = {
  name: 'fuse-batch-norm',
  patch: (graph) => {
    const fusions = graph.nodes
      .filter((node) => node.opType === 'BatchNormalization' && node.domain === '')
      .flatMap((norm) => fusionOf(graph, norm) ?? [])
    if (fusions.length === 0) return undefined
    return {
      remove: fusions.flatMap(({ convolution, norm }) => [convolution, norm]),
      add: fusions.map(({ fused }) => fused),
      initializers: fusions.flatMap(({ initializers }) => initializers),
    }
  },
}

function fusionOf(graph: Graph, norm: Node): Fusion | undefined {
  const index = indexOf(graph)
  const between = norm.inputs[0]!
  const convolution = index.producerOf(between)
  const isAlone = index.usersOf(between).length === 1 && !index.isOutput(between)
  if (convolution?.opType !== 'Conv' || !isAlone || norm.outputs.slice(1).some((name) => name !== ''))
    return undefined
  const weight = floatOfGraph(graph, convolution.inputs[1])
  const bias = floatOfGraph(graph, convolution.inputs[2])
  const [gamma, beta, mean, variance] = norm.inputs.slice(1, 5).map((name) => floatOfGraph(graph, name))
  if (weight === undefined || gamma === undefined || beta === undefined) return undefined
  if (mean === undefined || variance === undefined) return undefined
  if (bias === undefined && (convolution.inputs[2] ?? '') !== '') return undefined
  const epsilon = floatOf(norm, 'epsilon', 1e-5)
  const channels = weight.dims[0]!
  const perChannel = weight.data.length / channels
  const fusedWeight = new Float32Array(weight.data.length)
  const fusedBias = new Float32Array(channels)
  for (let channel = 0; channel < channels; channel++) {
    const scale = gamma.data[channel]! / Math.sqrt(variance.data[channel]! + epsilon)
    for (let at = channel * perChannel; at < (channel + 1) * perChannel; at++)
      fusedWeight[at] = weight.data[at]! * scale
    fusedBias[channel] = ((bias?.data[channel] ?? 0) - mean.data[channel]!) * scale + beta.data[channel]!
  }
  const [weightName, biasName] = [`${norm.name}/weight`, `${norm.name}/bias`]
  return {
    convolution,
    norm,
    fused: {
      ...convolution,
      inputs: [convolution.inputs[0]!, weightName, biasName],
      outputs: norm.outputs.slice(0, 1),
    },
    initializers: [
      [weightName, floatTensor(weight.dims, fusedWeight)],
      [biasName, floatTensor([channels], fusedBias)],
    ],
  }
}

function floatOfGraph(graph: Graph, name: string | undefined): FloatTensor | undefined {
  const tensor = name === undefined ? undefined : graph.initializers.get(name)
  return tensor?.type === 'float32' ? tensor : undefined
}
