/**
 * Builds YOLOv8 detectors from nothing: any depth, width, class count and input size.
 * Structure: the published model description yolov8.yaml. Invariant: the graph is valid, and its weights have the names of
 * Ultralytics' exports (`model.0.conv.weight`).
 */

import { AgentError } from '../base/errors.js'
import { type Random, seededRandom } from '../base/random.js'
import type { Graph, ValueInfo } from '../onnx/graph.js'
import { elementCount } from '../onnx/tensor.js'
import { writeDecodeTail } from './decode-tail.js'
import { type NetworkScale, scaledChannels, scaledRepeats } from './network-scale.js'
import { type Feature, type NetworkLevel, NetworkWriter } from './network-writer.js'

export interface NetworkOptions {
  readonly scale: NetworkScale
  /** By class index; at least one. */
  readonly classNames: readonly string[]
  /** Input pixels, multiples of 32. */
  readonly inputWidth: number
  readonly inputHeight: number
  /** Pictures in one run. Default: 1. */
  readonly batch?: number
  /** Batch norm behind each convolution, as it is trained; else biases, as it is deployed. Default: false. */
  readonly batchNorm?: boolean
  /**
   * `heads`: six outputs `p3_box` ... `p5_cls` of raw logits. `decoded`: one output `output0`
   * `[1, 4 + classes, anchors]`, as exports have it. Default: `decoded`.
   */
  readonly output?: 'heads' | 'decoded'
  /** Of the first weights. Default: 1. */
  readonly seed?: number
}

export const networkStrides: readonly number[] = [8, 16, 32]
const boxChannels = 64
const opset = 17

/**
 * Builds the graph with random first weights: uniform within 1/sqrt(inputs of a filter), the default of PyTorch's
 * convolutions; class biases start where an object in one of a few hundred places is expected.
 * Throws `config.value_invalid` for sizes that no YOLOv8 has.
 */
export function buildNetwork(options: NetworkOptions): Graph {
  const { batch = 1, batchNorm = false, output = 'decoded', seed = 1 } = options
  const { inputWidth, inputHeight, classNames } = options
  checkOptions(options)
  const random = seededRandom(seed)
  const writer = new NetworkWriter(batchNorm, (_, dims) => firstWeights(dims, random))
  const levels = writeHead(writer, writePyramid(writer, options.scale), options)
  const outputs =
    output === 'heads'
      ? headOutputs(writer, levels, options)
      : [writeDecodeTail(writer, levels, { inputWidth, inputHeight, batch, classCount: classNames.length })]
  return {
    name: 'yolov8',
    irVersion: 8,
    opsets: new Map([['', opset]]),
    inputs: [{ name: 'images', type: 'float32', shape: [batch, 3, inputHeight, inputWidth] }],
    outputs,
    nodes: writer.nodes,
    initializers: writer.initializers,
    metadata: new Map([
      ['task', 'detect'],
      ['stride', String(networkStrides.at(-1))],
      ['batch', String(batch)],
      ['imgsz', `[${inputHeight}, ${inputWidth}]`],
      ['names', JSON.stringify(Object.fromEntries(classNames.entries()))],
    ]),
    carried: undefined,
  }
}

function checkOptions({ classNames, inputWidth, inputHeight, batch = 1 }: NetworkOptions): void {
  const refuse = (what: string, value: number, expected: string): AgentError =>
    new AgentError('config.value_invalid', `building a network with ${what} ${value}: expected ${expected}`)
  for (const [what, side] of [
    ['input width', inputWidth],
    ['input height', inputHeight],
  ] as const) {
    if (!Number.isInteger(side) || side < 32 || side % 32 !== 0)
      throw refuse(what, side, 'a multiple of 32 pixels')
  }
  if (classNames.length === 0) throw refuse('class count', 0, 'at least one class')
  if (!Number.isInteger(batch) || batch < 1) throw refuse('batch', batch, 'a whole number of pictures')
}

function firstWeights(dims: readonly number[], random: Random): Float32Array {
  const bound = 1 / Math.sqrt(elementCount(dims.slice(1)))
  return Float32Array.from({ length: elementCount(dims) }, () => (2 * random.next() - 1) * bound)
}

/** Backbone and neck: the features at strides 8, 16 and 32. */
function writePyramid(writer: NetworkWriter, scale: NetworkScale): readonly Feature[] {
  const wide = (channels: number): number => scaledChannels(scale, channels)
  const down = (at: number, input: Feature, channels: number): Feature =>
    writer.convBlock(`model.${at}`, input, { channels: wide(channels), kernel: 3, stride: 2 })
  const c2f = (at: number, input: Feature, channels: number, repeats: number, shortcut = false): Feature =>
    writer.c2f(`model.${at}`, input, wide(channels), scaledRepeats(scale, repeats), shortcut)
  const join = (at: number, ...parts: readonly Feature[]): Feature =>
    writer.concat(`/model.${at}/Concat_output_0`, parts)

  const stem = down(1, down(0, { name: 'images', channels: 3 }, 64), 128)
  const p3 = c2f(4, down(3, c2f(2, stem, 128, 3, true), 256), 256, 6, true)
  const p4 = c2f(6, down(5, p3, 512), 512, 6, true)
  const p5 = writer.sppf('model.9', c2f(8, down(7, p4, 1024), 1024, 3, true), wide(1024))
  const up4 = c2f(12, join(11, writer.upsample('model.10', p5), p4), 512, 3)
  const out3 = c2f(15, join(14, writer.upsample('model.13', up4), p3), 256, 3)
  const out4 = c2f(18, join(17, down(16, out3, 256), up4), 512, 3)
  const out5 = c2f(21, join(20, down(19, out4, 512), p5), 1024, 3)
  return [out3, out4, out5]
}

function writeHead(
  writer: NetworkWriter,
  pyramid: readonly Feature[],
  options: NetworkOptions,
): readonly NetworkLevel[] {
  const classCount = options.classNames.length
  const first = pyramid[0]!.channels
  const inner = {
    box: Math.max(16, Math.floor(first / 4), boxChannels),
    cls: Math.max(first, Math.min(classCount, 100)),
  }
  return pyramid.map((feature, level) => {
    const stride = networkStrides[level]!
    const branch = (name: 'cv2' | 'cv3', hidden: number, channels: number, bias: number): Feature => {
      const at = `model.22.${name}.${level}`
      const one = writer.convBlock(`${at}.0`, feature, { channels: hidden, kernel: 3 })
      const two = writer.convBlock(`${at}.1`, one, { channels: hidden, kernel: 3 })
      return writer.lastConvolution(`${at}.2`, two, channels, bias)
    }
    // Five objects in a picture of 640 pixels, over all classes and places of this level.
    const classBias = Math.log(5 / classCount / (640 / stride) ** 2)
    return {
      stride,
      box: branch('cv2', inner.box, boxChannels, 1),
      cls: branch('cv3', inner.cls, classCount, classBias),
    }
  })
}

function headOutputs(
  writer: NetworkWriter,
  levels: readonly NetworkLevel[],
  { inputWidth, inputHeight, batch = 1 }: NetworkOptions,
): readonly ValueInfo[] {
  return levels.flatMap(({ stride, box, cls }, level) =>
    [[`p${level + 3}_box`, box] as const, [`p${level + 3}_cls`, cls] as const].map(
      ([name, { name: value, channels }]): ValueInfo => {
        renameOutput(writer, value, name)
        return {
          name,
          type: 'float32',
          shape: [batch, channels, inputHeight / stride, inputWidth / stride],
        }
      },
    ),
  )
}

/** The node that makes `value` calls it `name`; nobody else has read it yet. */
function renameOutput(writer: NetworkWriter, value: string, name: string): void {
  const index = writer.nodes.findIndex((node) => node.outputs[0] === value)
  writer.nodes[index] = { ...writer.nodes[index]!, outputs: [name] }
}
