/**
 * Weight sparsity: zeros in place, shapes unchanged. It saves bytes in transfer, not time: dense kernels multiply
 * zeros as well.
 * Invariant: biases and excluded layers are untouched; zeros are exactly 0, so that symmetric quantisation keeps them.
 */

import { AgentError } from '../../base/errors.js'
import { present } from '../../base/assert.js'
import { seededRandom } from '../../base/random.js'
import type { Graph, Node, ValueName } from '../../onnx/graph.js'
import { applyPatch } from '../../onnx/patch.js'
import { elementCount, floatTensor, type FloatTensor, type Tensor } from '../../onnx/tensor.js'
import type { GradientSource } from '../pruning/measurements.js'
import { collectInputMoments, type InputMoments } from '../restoration/input-moments.js'
import { packRows, unpackRows } from '../restoration/packed-weights.js'
import { samplesOf } from '../calibration-samples.js'
import type { CalibrationImages, GraphRunner } from '../ports.js'
import { lowestOf, patternZeros, spreadMask } from './choose-zeros.js'
import { compensatedZeros } from './compensated-zeros.js'
import {
  parseSparsityPlan,
  patternRatio,
  type SparsityPlan,
  type SparsityPlanInput,
} from './sparsity-plan.js'

export interface SparsityPorts {
  readonly runner?: GraphRunner
  readonly images?: CalibrationImages
  readonly gradients?: GradientSource
  /** Moments of the same graph that were measured before. */
  readonly moments?: InputMoments
}

export interface SparsityReport {
  readonly plan: SparsityPlan
  readonly weights: number
  readonly zeros: number
  readonly layers: readonly { readonly name: string; readonly weights: number; readonly zeros: number }[]
}

interface Layer {
  readonly node: Node
  readonly weight: FloatTensor
}

/** Sets weights of `graph` to zero as `plan` says. Throws `compress.plan_invalid`. */
export async function sparsify(
  graph: Graph,
  plan: SparsityPlanInput,
  ports: SparsityPorts = {},
): Promise<{ graph: Graph; report: SparsityReport }> {
  const checked = parseSparsityPlan(plan)
  const layers = sparsifiable(graph, checked)
  const initializers =
    checked.criterion === 'reconstruction'
      ? await compensatedLayers(graph, layers, checked, ports)
      : maskedLayers(layers, await masksOf(graph, layers, checked, ports))
  const result = applyPatch(graph, { initializers })
  const counted = layers.map(({ node, weight }) => ({
    name: node.name,
    weights: weight.data.length,
    zeros: zerosOf(present(result.initializers.get(node.inputs[1]!), node.name)),
  }))
  const total = (of: 'weights' | 'zeros'): number => counted.reduce((sum, layer) => sum + layer[of], 0)
  return {
    graph: result,
    report: { plan: checked, weights: total('weights'), zeros: total('zeros'), layers: counted },
  }
}

/** Float convolution weights, the constant expectation of DFL (no bias, one output) left out. */
function sparsifiable(graph: Graph, plan: SparsityPlan): readonly Layer[] {
  const layers = graph.nodes.flatMap((node) => {
    const weight = graph.initializers.get(node.inputs[1] ?? '')
    if (node.opType !== 'Conv' || weight?.type !== 'float32' || node.inputs.length < 3) return []
    return plan.exclude.some((name) => node.name.startsWith(name)) ? [] : [{ node, weight }]
  })
  if (layers.length > 0) return layers
  throw new AgentError(
    'compress.plan_invalid',
    `making weights sparse found no convolution with float32 weights among ${graph.nodes.length} nodes`,
    { hint: 'Make the float model sparse first and quantise the result.' },
  )
}

function zerosOf(tensor: Tensor): number {
  let zeros = 0
  for (let at = 0; at < tensor.data.length; at++) if (Number(tensor.data[at]) === 0) zeros++
  return zeros
}

function maskedLayers(
  layers: readonly Layer[],
  masks: readonly Uint8Array[],
): ReadonlyMap<ValueName, Tensor> {
  return new Map(
    layers.map(({ node, weight }, at) => [
      node.inputs[1]!,
      floatTensor(
        weight.dims,
        weight.data.map((value, index) => (masks[at]![index] === 1 ? 0 : value)),
      ),
    ]),
  )
}

async function masksOf(
  graph: Graph,
  layers: readonly Layer[],
  plan: SparsityPlan,
  ports: SparsityPorts,
): Promise<readonly Uint8Array[]> {
  if (plan.threshold !== undefined) {
    const limit = plan.threshold
    return layers.map(({ weight }) =>
      Uint8Array.from(weight.data, (value) => (Math.abs(value) < limit ? 1 : 0)),
    )
  }
  const scores = await elementScores(graph, layers, plan, ports)
  const ratio = patternRatio(plan.pattern)
  if (ratio !== undefined)
    return layers.map(({ weight }, at) => patternZeros(scores[at]!, weight.dims, ratio))
  const sizes = layers.map(({ weight }) => unitSize(weight, plan.pattern))
  const units = scores.map((list, at) => summed(list, sizes[at]!, plan.criterion))
  const masks =
    plan.scope === 'global'
      ? lowestOf(
          units.map(byMean),
          Math.round(plan.sparsity * units.reduce((sum, list) => sum + list.length, 0)),
        )
      : units.map((list) => lowestOf([list], Math.round(plan.sparsity * list.length))[0]!)
  return masks.map((mask, at) => spreadMask(mask, sizes[at]!))
}

function unitSize(weight: FloatTensor, pattern: string): number {
  if (pattern === 'kernel') return elementCount(weight.dims.slice(2))
  return pattern === 'channel' ? elementCount(weight.dims.slice(1)) : 1
}

function summed(scores: Float32Array, size: number, criterion: SparsityPlan['criterion']): Float32Array {
  const units = new Float32Array(scores.length / size)
  for (let at = 0; at < scores.length; at++) units[Math.floor(at / size)]! += scores[at]!
  return criterion === 'l2' ? units.map(Math.sqrt) : units
}

function byMean(scores: Float32Array): Float32Array {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length
  return scores.map((score) => score / Math.max(mean, 1e-30))
}

async function elementScores(
  graph: Graph,
  layers: readonly Layer[],
  plan: SparsityPlan,
  ports: SparsityPorts,
): Promise<readonly Float32Array[]> {
  if (plan.criterion === 'random') {
    const random = seededRandom(plan.seed)
    return layers.map(({ weight }) => weight.data.map(() => random.next()))
  }
  if (plan.criterion !== 'gradient') {
    const squared = plan.criterion === 'l2'
    return layers.map(({ weight }) => weight.data.map((value) => (squared ? value * value : Math.abs(value))))
  }
  if (ports.gradients === undefined) {
    throw new AgentError(
      'compress.plan_invalid',
      'the gradient criterion needs the gradients of the weights, and none were given',
    )
  }
  const scores = layers.map(({ weight }) => new Float32Array(weight.data.length))
  await ports.gradients.visitGradients(
    graph,
    layers.map(({ node }) => node.inputs[1]!),
    (gradients) => {
      // Magnitudes add up: of opposite gradients of two samples both count.
      layers.forEach(({ node, weight }, index) => {
        const gradient = present(gradients.get(node.inputs[1]!), `the gradient of ${node.inputs[1]!}`)
        weight.data.forEach((value, at) => (scores[index]![at]! += Math.abs(value * gradient[at]!)))
      })
    },
  )
  return scores
}

async function compensatedLayers(
  graph: Graph,
  layers: readonly Layer[],
  plan: SparsityPlan,
  ports: SparsityPorts,
): Promise<ReadonlyMap<ValueName, Tensor>> {
  if (plan.pattern !== 'unstructured') {
    throw new AgentError(
      'compress.plan_invalid',
      `the reconstruction criterion works on the pattern unstructured, got ${plan.pattern}`,
    )
  }
  const { runner, images } = ports
  if (runner === undefined || images === undefined) {
    throw new AgentError(
      'compress.plan_invalid',
      'the reconstruction criterion needs calibration samples, and none were given',
      {
        hint: 'Give calibration images, or choose the criterion l1.',
      },
    )
  }
  const moments =
    ports.moments ??
    (await collectInputMoments(
      { graph, runner, samples: samplesOf(graph, images) },
      { factor: 5, seed: 1, interest: undefined },
    ))
  const initializers = new Map<ValueName, Tensor>()
  for (const layer of layers) {
    const { node, weight } = layer
    const own = moments.get(node.name)
    if (own === undefined) {
      // A grouped convolution has no moments: its smallest weights go.
      const count = Math.round(plan.sparsity * weight.data.length)
      const [mask] = lowestOf([weight.data.map(Math.abs)], count)
      for (const [name, tensor] of maskedLayers([layer], [mask!])) initializers.set(name, tensor)
      continue
    }
    const packed = compensatedZeros(packRows(node, graph.initializers), own, plan.sparsity, plan.ridge)
    for (const [name, tensor] of unpackRows(node, graph.initializers, packed)) initializers.set(name, tensor)
  }
  return initializers
}
