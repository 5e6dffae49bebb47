/**
 * Finds the detection head of a YOLOv8 graph by its structure, whatever exporter, operator set or simplifier wrote it.
 * Invariant: names of nodes and values are never looked at.
 *
 *      feature map /8  --- Conv --- box logits [1, 64, h, w] --\
 *                     \--- Conv --- class logits [1, nc, h, w] --- Concat, Softmax, DFL, anchors, Sigmoid --- output
 *      and the same for /16 and /32
 */

import { AgentError } from '../base/errors.js'
import { type Dim, type Graph, indexOf, type Node, type ValueName } from '../onnx/graph.js'
import { type Shapes, shapesOf } from '../onnx/shapes/infer-shapes.js'
import { isDistanceMean, nodesBehind } from './head-ending.js'
import { pictureInputOf } from './picture-input.js'

/** One of the six last convolutions. */
export interface HeadBranch {
  readonly node: Node
  /** The convolution's output: raw logits `[N, channels, h, w]`. */
  readonly value: ValueName
  readonly channels: number
}

export interface DetectionHeadLevel {
  /** Input pixels per cell. */
  readonly stride: number
  readonly box: HeadBranch
  readonly cls: HeadBranch
}

export interface DetectionHead {
  /** By rising stride: 8, 16, 32. */
  readonly levels: readonly DetectionHeadLevel[]
  readonly classCount: number
}

/** Four box sides, 16 bins each. */
const boxChannels = 64
const strides = [8, 16, 32]
/** Any multiple of 32 serves to find the strides of a graph with a free input size. */
const probeSize = 256

/**
 * Finds the head of a graph in export form (also with built-in NMS) or in edge form.
 * Throws `model.not_yolov8` naming the first thing that does not fit.
 */
export function findHead(graph: Graph): DetectionHead {
  const last = lastConvolutions(graph)
  if (last.length !== 2 * strides.length) {
    throw refused(`its outputs come from ${last.length} last convolutions, expected ${2 * strides.length}`)
  }
  const size = inputHeight(graph)
  const shapes = shapesUpTo(graph, last, size)
  const branches = last.map((node) => branchOf(node, shapes, size ?? probeSize))
  const levels = strides.map((stride): DetectionHeadLevel => {
    const pair = branches.filter((branch) => branch.stride === stride)
    const [first, second] = pair
    if (first === undefined || second === undefined || pair.length > 2) {
      throw refused(
        `it has ${pair.length} last convolutions of stride ${stride}, expected a box and a class branch`,
      )
    }
    const [box, cls] = boxFirst(graph, first, second)
    return { stride, box, cls }
  })
  const classCount = levels[0]!.cls.channels
  for (const { stride, cls } of levels) {
    if (cls.channels !== classCount) {
      throw refused(
        `its class branches have ${classCount} and, at stride ${stride}, ${cls.channels} channels`,
      )
    }
  }
  return { levels, classCount }
}

function refused(reason: string): AgentError {
  return new AgentError('model.not_yolov8', `the model has no head of YOLOv8: ${reason}`, {
    hint: 'heads of YOLOv8, YOLOv5u, YOLOv9, YOLOv10, YOLO11 and YOLO12 are compressed and trained; others that give boxes, such as YOLO26, can be served as they are',
  })
}

/** The first convolutions met on the way back from the outputs, in graph order; the DFL's own is passed through. */
function lastConvolutions(graph: Graph): readonly Node[] {
  const ends = (node: Node): boolean => node.opType === 'Conv' && !isDistanceMean(graph, node)
  const found = new Set([...nodesBehind(graph, ends)].filter(ends))
  return graph.nodes.filter((node) => found.has(node))
}

function inputHeight(graph: Graph): number | undefined {
  const input = graph.inputs[0]
  if (input?.shape.length !== 4) throw refused('it has no input with four dimensions')
  const height = input.shape[pictureInputOf(graph, input).layout.startsWith('nhwc') ? 1 : 2]
  return typeof height === 'number' ? height : undefined
}

/** Shapes of the graph down to `last`; a free input size becomes the probe size. */
function shapesUpTo(graph: Graph, last: readonly Node[], size: number | undefined): Shapes {
  const { producerOf } = indexOf(graph)
  const needed = new Set<Node>(last)
  for (const node of needed) {
    for (const input of node.inputs) {
      const producer = producerOf(input)
      if (producer !== undefined) needed.add(producer)
    }
  }
  const inputs = graph.inputs.map((input) => {
    const isLast = pictureInputOf(graph, input).layout.startsWith('nhwc')
    const fixed = isLast ? [1, probeSize, probeSize, 3] : [1, 3, probeSize, probeSize]
    const shape = input.shape.map((dim, axis): Dim => (typeof dim === 'number' ? dim : fixed[axis]))
    return size === undefined ? { ...input, shape } : input
  })
  return shapesOf({ ...graph, inputs, nodes: graph.nodes.filter((node) => needed.has(node)), outputs: [] })
}

function branchOf(node: Node, shapes: Shapes, inputSize: number): HeadBranch & { stride: number } {
  const value = node.outputs[0] ?? ''
  const shape = shapes.typeOf(value)?.shape
  const [channels, height] = [shape?.[1], shape?.[2]]
  if (shape?.length !== 4 || typeof channels !== 'number' || typeof height !== 'number') {
    throw refused(`the size of convolution ${node.name} is not known`)
  }
  return { node, value, channels, stride: inputSize / height }
}

/** Which of two branches of a level is the box branch: by channels, and with 64 classes by what follows. */
function boxFirst(graph: Graph, first: HeadBranch, second: HeadBranch): [HeadBranch, HeadBranch] {
  const isBox = [first, second].map((branch) => branch.channels === boxChannels)
  if (isBox[0] === true && isBox[1] === true) return inBoxOrder(graph, first, second)
  if (isBox[0] === true) return [first, second]
  if (isBox[1] === true) return [second, first]
  throw refused(
    `convolutions ${first.node.name} and ${second.node.name} have ${first.channels} and ${second.channels} channels, expected ${boxChannels} for the boxes`,
  )
}

/** Only box logits pass a Softmax; where both go through one Concat, exporters put the boxes first. */
function inBoxOrder(graph: Graph, first: HeadBranch, second: HeadBranch): [HeadBranch, HeadBranch] {
  const reach = [first, second].map((branch) => reachesSoftmax(graph, branch.value))
  if (reach[0] !== reach[1]) return reach[0] === true ? [first, second] : [second, first]
  const joint = indexOf(graph)
    .usersOf(first.value)
    .find((node) => node.opType === 'Concat' && node.inputs.includes(second.value))
  const swapped =
    joint === undefined
      ? graph.outputs.findIndex((output) => output.name === second.value) <
        graph.outputs.findIndex((output) => output.name === first.value)
      : joint.inputs.indexOf(second.value) < joint.inputs.indexOf(first.value)
  return swapped ? [second, first] : [first, second]
}

function reachesSoftmax(graph: Graph, from: ValueName): boolean {
  const { usersOf } = indexOf(graph)
  const seen = new Set<ValueName>([from])
  for (const value of seen) {
    for (const user of usersOf(value)) {
      if (user.opType === 'Softmax') return true
      for (const output of user.outputs) seen.add(output)
    }
  }
  return false
}
