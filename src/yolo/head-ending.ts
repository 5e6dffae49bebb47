/**
 * What a graph ends with: its last convolutions, and whether it selects the final boxes itself.
 * Invariant: names are never looked at, so that a file without metadata is told by its head alone.
 *
 *      YOLOv8 and its kin   per level: boxes (64 or 4 channels), classes
 *      outlines, poses, turned boxes   one branch more per level: mask coefficients, keypoints, angles
 *      YOLOX   per level: boxes, objectness, classes;   YOLOv5 with anchors: one branch per level
 */

import { type Graph, indexOf, type Node } from '../onnx/graph.js'
import type { Tensor } from '../onnx/tensor.js'

export interface HeadEnding {
  /** Output channels of the last convolutions, in the order of the graph; of unknown weights they are left out. */
  readonly channels: readonly number[]
  /** The operator behind them that selects boxes. */
  readonly selection: 'NonMaxSuppression' | 'TopK' | undefined
}

/** Where a convolution has its weights, by operator. */
const weightPlaces: Readonly<Record<string, number>> = {
  Conv: 1,
  ConvInteger: 1,
  FusedConv: 1,
  NhwcFusedConv: 1,
  QLinearConv: 3,
}

/** Bins of one box side in the distribution (DFL) whose mean is a distance. */
export const distanceBins = 16

/** Looks at what stands behind the last convolutions of `graph`. */
export function headEndingOf(graph: Graph): HeadEnding {
  const last = new Set<Node>()
  let selection: HeadEnding['selection']
  for (const node of nodesBehind(graph, (each) => isConvolution(each) && !isDistanceMean(graph, each))) {
    if (isConvolution(node) && !isDistanceMean(graph, node)) last.add(node)
    else if (node.opType === 'NonMaxSuppression') selection = 'NonMaxSuppression'
    else if (node.opType === 'TopK') selection ??= 'TopK'
  }
  const channels = graph.nodes
    .filter((node) => last.has(node))
    .flatMap((node) => weightOf(graph, node)?.dims[0] ?? [])
  return { channels, selection }
}

/** The nodes on the way back from the outputs, up to and including those that `ends`; where sizes are computed is left out. */
export function* nodesBehind(graph: Graph, ends: (node: Node) => boolean): Generator<Node> {
  const { producerOf } = indexOf(graph)
  const seen = new Set<Node>()
  const waiting = graph.outputs.map((output) => output.name)
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const node = producerOf(name)
    if (node === undefined || seen.has(node)) continue
    seen.add(node)
    yield node
    if (!ends(node) && node.opType !== 'Shape') waiting.push(...node.inputs)
  }
}

/** The mean of a distribution written as a convolution: one filter over the bins, with the weights 0, 1, 2, ... */
export function isDistanceMean(graph: Graph, node: Node): boolean {
  if (node.opType !== 'Conv') return false
  const tensor = weightOf(graph, node)
  if (tensor?.dims[0] !== 1 || tensor.dims[1] !== distanceBins) return false
  // A class branch of one class may have these sizes too; only the mean's weights rise from bin to bin.
  const { data } = tensor
  return data.every((value: number | bigint, index: number) => index === 0 || value > data[index - 1]!)
}

/**
 * The class count that the last convolutions tell, a sentence about what else they are, or undefined where they are too few to tell
 * anything: a detector has as many branches of boxes as of classes. `expected` decides where both 4 and 64 channels are there.
 */
export function classesOfEnding({ channels }: HeadEnding, expected?: number): number | string | undefined {
  if (channels.length < 2) return undefined
  const counts = new Map<number, number>()
  for (const count of channels) counts.set(count, (counts.get(count) ?? 0) + 1)
  const kinds = [...counts.keys()].sort((a, b) => b - a)
  const found = `its last convolutions have ${channels.join(', ')} channels`
  const boxes = [4 * distanceBins, 4].filter((count) => counts.has(count))
  const box =
    boxes.find(
      (count) => kinds.length === 2 && kinds.some((other) => other !== count && other === expected),
    ) ?? boxes[0]
  if (kinds.length > 2 || box === undefined) {
    return `${found}, expected boxes (${4 * distanceBins} or 4) and classes alone: it may be a model of outlines, poses or turned boxes, or of another family`
  }
  const [classes = box] = kinds.filter((count) => count !== box)
  const isEven = kinds.length === 1 ? counts.get(box)! % 2 === 0 : counts.get(box) === counts.get(classes)
  return isEven ? classes : `${found}, expected as many branches of boxes as of classes`
}

function isConvolution({ opType }: Node): boolean {
  return Object.hasOwn(weightPlaces, opType)
}

/** The constant behind what only hands on or dequantises it. */
function weightOf(graph: Graph, node: Node): Tensor | undefined {
  const { producerOf } = indexOf(graph)
  let value = node.inputs[weightPlaces[node.opType]!] ?? ''
  for (let producer = producerOf(value); producer !== undefined; producer = producerOf(value)) {
    if (!['DequantizeLinear', 'Identity', 'Cast'].includes(producer.opType)) return undefined
    value = producer.inputs[0] ?? ''
  }
  return graph.initializers.get(value)
}
