/**
 * Which convolutions suffer most from integers.
 * A layer (a convolution and the activation behind it) is quantised alone; what that does to the class probabilities
 * and the box logits of the heads, at the cells where the float model sees something, is its error.
 * Invariant: the order does not depend on chance; equal errors keep the order of the graph.
 */

import { sigmoid } from '../../base/numeric.js'
import { present } from '../../base/assert.js'
import { type Graph, indexOf, type Node, type ValueName } from '../../onnx/graph.js'
import type { Tensor } from '../../onnx/tensor.js'
import { byteScaleOf, planesOfBytes } from '../../yolo/byte-scale.js'
import { findHead } from '../../yolo/find-head.js'
import { samplesOf } from '../calibration-samples.js'
import type { CalibrationImages, Feeds, GraphRunner, ReportProgress } from '../ports.js'
import type { QuantizationPlan } from './quantization-plan.js'
import { quantizedConvolutions } from './integer-convolution.js'

export interface LayerSensitivity {
  /** The convolution. */
  readonly name: string
  /** The convolution and its activation: what stays float together. */
  readonly nodes: readonly string[]
  /** Mean squared change of the heads, probabilities plus box logits in bins; 0 is no change. */
  readonly error: number
}

/** Cells whose best class has less than this in the float model are not looked at. */
const seenProbability = 0.05

/** The layers of `plan`, the most sensitive first. `only` writes the model in which just these nodes are integers. */
export async function rankLayers(
  plan: QuantizationPlan,
  only: (nodes: ReadonlySet<string>) => Graph,
  runner: GraphRunner,
  images: CalibrationImages,
  onProgress?: ReportProgress,
): Promise<readonly LayerSensitivity[]> {
  const { graph } = plan
  const samples = samplesOf(graph, images)
  const feeds: Feeds[] = []
  for (let index = 0; index < samples.count; index++) feeds.push(await samples.read(index))
  const expected = await outputsOf(graph, feeds, runner)
  const layers = quantizedConvolutions(plan)
  const ranked: LayerSensitivity[] = []
  for (const [done, node] of layers.entries()) {
    const nodes = layerOf(graph, node).filter((name) => plan.quantized.has(name))
    const actual = await outputsOf(only(new Set(nodes)), feeds, runner)
    ranked.push({ name: node.name, nodes, error: headError(graph, expected, actual) })
    onProgress?.('measure sensitivity', done + 1, layers.length)
  }
  return ranked.sort((a, b) => b.error - a.error)
}

/** Names of the convolution and of the nodes of its activation. */
export function layerOf(graph: Graph, node: Node): readonly string[] {
  const { usersOf } = indexOf(graph)
  const users = usersOf(node.outputs[0]!).filter(({ opType }) => opType === 'Sigmoid' || opType === 'Mul')
  return [node.name, ...users.map(({ name }) => name)]
}

async function outputsOf(graph: Graph, feeds: readonly Feeds[], runner: GraphRunner): Promise<Feeds[]> {
  const open = await runner.open(graph)
  try {
    const outputs: Feeds[] = []
    for (const feed of feeds) outputs.push(inFloats(graph, await open.run(feed)))
    return outputs
  } finally {
    await open.close()
  }
}

/** `outputs` of `graph` with those that are bytes as planes of floats. */
function inFloats(graph: Graph, outputs: Feeds): Feeds {
  return new Map(
    [...outputs].map(([name, tensor]) => {
      const scale = tensor.type === 'uint8' ? byteScaleOf(graph.metadata, name) : undefined
      if (tensor.type !== 'uint8' || scale === undefined) return [name, tensor]
      const [batch = 1, height = 0, width = 0, channels = 1] = tensor.dims
      const planes = planesOfBytes(tensor.data, channels, scale)
      return [name, { type: 'float32', dims: [batch, channels, height, width], data: planes }]
    }),
  )
}

function headError(graph: Graph, expected: readonly Feeds[], actual: readonly Feeds[]): number {
  const { levels } = findHead(graph)
  let sum = 0
  let cells = 0
  for (const [index, outputs] of expected.entries()) {
    for (const { box, cls } of levels) {
      const pair = (name: ValueName): [Float32Array, Float32Array] => [
        floats(outputs.get(name), name),
        floats(actual[index]!.get(name), name),
      ]
      const [logits, changedLogits] = pair(cls.value)
      const [bins, changedBins] = pair(box.value)
      const area = logits.length / cls.channels
      for (let cell = 0; cell < area; cell++) {
        let best = 0
        let difference = 0
        for (let at = cell; at < logits.length; at += area) {
          const probability = sigmoid(logits[at]!)
          best = Math.max(best, probability)
          difference += (sigmoid(changedLogits[at]!) - probability) ** 2
        }
        if (best < seenProbability) continue
        for (let at = cell; at < bins.length; at += area)
          difference += (changedBins[at]! - bins[at]!) ** 2 / box.channels
        sum += difference
        cells++
      }
    }
  }
  return cells === 0 ? 0 : sum / cells
}

function floats(tensor: Tensor | undefined, name: ValueName): Float32Array {
  return present(tensor?.type === 'float32' ? tensor.data : undefined, `output ${name} is float32`)
}
