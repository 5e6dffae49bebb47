/**
 * What in a graph of bytes the operators of the domain `yolo-edge` can take the place of: convolutions and SiLUs whose
 * constants are known.
 * Invariant: what is returned is exactly what kernels.h describes; a node that differs in anything is not returned.
 */

import { intOf, intsOf, stringOf } from '../../../onnx/attributes.js'
import { type Graph, indexOf, type Node, type ValueName } from '../../../onnx/graph.js'
import { microsoftDomain } from '../../../onnx/opset.js'
import type { Tensor } from '../../../onnx/tensor.js'

/** A convolution of unsigned bytes, channels last, whose sums are put on a scale of unsigned bytes. */
export interface ByteConvolution {
  readonly input: ValueName
  /** `[channelsOut, channelsIn, rows, columns]`, row-major. */
  readonly weights: Int8Array
  readonly dims: readonly [number, number, number, number]
  readonly strides: readonly [number, number]
  /** Top, left, bottom, right. */
  readonly pads: readonly [number, number, number, number]
  readonly xZero: number
  readonly yZero: number
  /** Of the input, of each output channel's weights, and of the output. */
  readonly xScale: number
  readonly weightScales: Float32Array
  readonly yScale: number
  readonly bias: Int32Array
}

/** x -> x * sigmoid(x) on unsigned bytes. */
export interface ByteSilu {
  readonly sigmoid: Node
  readonly product: Node
  readonly input: ValueName
  readonly output: ValueName
}

/** The SiLU that ends in `product`; undefined where it is none, or others read its sigmoid. */
export function siluOf(graph: Graph, product: Node): ByteSilu | undefined {
  if (!isMicrosoft(product, 'QLinearMul')) return undefined
  const { producerOf, usersOf, isOutput } = indexOf(graph)
  const [first = '', , firstZero = '', second = '', , secondZero = '', , outputZero = ''] = product.inputs
  const sigmoid = [first, second]
    .map(producerOf)
    .find((node) => node !== undefined && isMicrosoft(node, 'QLinearSigmoid'))
  if (sigmoid === undefined) return undefined
  const [input = ''] = sigmoid.inputs
  const gate = sigmoid.outputs[0]!
  if (!(first === input && second === gate) && !(first === gate && second === input)) return undefined
  if (isOutput(gate) || usersOf(gate).length !== 1) return undefined
  const zeros = [sigmoid.inputs[2], sigmoid.inputs[4], firstZero, secondZero, outputZero]
  const areBytes = zeros.every((zero) => graph.initializers.get(zero ?? '')?.type === 'uint8')
  const scales = [
    sigmoid.inputs[1],
    sigmoid.inputs[3],
    product.inputs[1],
    product.inputs[4],
    product.inputs[6],
  ]
  const areKnown = scales.every((scale) => scalarOf(graph, scale) !== undefined)
  return areBytes && areKnown ? { sigmoid, product, input, output: product.outputs[0]! } : undefined
}

/** What `node` computes; undefined for other nodes, and for convolutions that the operator does not do. */
export function byteConvolutionOf(graph: Graph, node: Node): ByteConvolution | undefined {
  if (!isMicrosoft(node, 'QLinearConv') || !isPlain(node)) return undefined
  const [input = '', xScaleName, xZeroName, , , , yScaleName, yZeroName] = node.inputs
  const weights = weightsOf(graph, node)
  const [xScale, yScale] = [scalarOf(graph, xScaleName), scalarOf(graph, yScaleName)]
  const [xZero, yZero] = [byteOf(graph, xZeroName), byteOf(graph, yZeroName)]
  if (weights === undefined || xScale === undefined || yScale === undefined) return undefined
  if (xZero === undefined || yZero === undefined) return undefined
  return {
    input,
    ...weights,
    strides: pair(intsOf(node, 'strides') ?? [1, 1]),
    pads: [...(intsOf(node, 'pads') ?? [0, 0, 0, 0])] as unknown as ByteConvolution['pads'],
    xZero,
    yZero,
    xScale,
    yScale,
  }
}

/** Whether `node` is neither grouped nor dilated, and has its channels last. */
function isPlain(node: Node): boolean {
  return (
    intOf(node, 'channels_last', 0) === 1 &&
    intOf(node, 'group', 1) === 1 &&
    stringOf(node, 'auto_pad', 'NOTSET') === 'NOTSET' &&
    (intsOf(node, 'dilations') ?? [1, 1]).every((step) => step === 1)
  )
}

/** The constants of the weights; undefined where they are no constants, or not symmetric signed bytes. */
function weightsOf(
  graph: Graph,
  node: Node,
): Pick<ByteConvolution, 'weights' | 'dims' | 'weightScales' | 'bias'> | undefined {
  const [, , , weightName = '', scaleName = '', zeroName = '', , , biasName = ''] = node.inputs
  const { initializers } = graph
  const [weight, scale, zero] = [weightName, scaleName, zeroName].map((name) => initializers.get(name))
  if (weight?.type !== 'int8' || weight.dims.length !== 4 || scale?.type !== 'float32') return undefined
  if (zero?.type !== 'int8' || zero.data.some((each) => each !== 0)) return undefined
  const dims = weight.dims as ByteConvolution['dims']
  const weightScales = scale.data.length === 1 ? new Float32Array(dims[0]).fill(scale.data[0]!) : scale.data
  const bias = biasName === '' ? new Int32Array(dims[0]) : int32Of(initializers.get(biasName))
  if (bias === undefined || weightScales.length !== dims[0]) return undefined
  return { weights: weight.data, dims, weightScales, bias }
}

function int32Of(tensor: Tensor | undefined): Int32Array | undefined {
  return tensor?.type === 'int32' ? tensor.data : undefined
}

/**
 * The convolution that was folded to groups of four pixels, as it was before; undefined where it was not folded.
 * Half of the folded one's products are with zeros, which a kernel of our own does not need.
 */
export function unfolded(folded: ByteConvolution): ByteConvolution | undefined {
  const [rows2, inputs, lines, groups] = folded.dims
  const { strides, pads } = folded
  if (inputs !== 12 || lines !== 3 || groups !== 2 || rows2 % 2 !== 0) return undefined
  if (strides.join() !== '2,1' || pads.join() !== '1,1,1,0') return undefined
  const channels = rows2 / 2
  const weights = new Int8Array(channels * 3 * 9)
  let zeros = folded.weights.length
  for (let row = 0; row < rows2; row++) {
    const [output, channel] = [Math.floor(row / channels), row % channels]
    for (let tap = 0; tap < 27; tap++) {
      const [color, line, column] = [Math.floor(tap / 9), Math.floor((tap % 9) / 3), tap % 3]
      const pixel = 2 * output - 1 + column
      const input = ((pixel + 4) % 4) * 3 + color
      const value = folded.weights[((row * 12 + input) * 3 + line) * 2 + (pixel < 0 ? 0 : 1)]!
      const at = channel * 27 + tap
      if (output === 0) weights[at] = value
      else if (weights[at] !== value) return undefined
      if (value !== 0) zeros--
    }
    if (
      folded.weightScales[row] !== folded.weightScales[channel] ||
      folded.bias[row] !== folded.bias[channel]
    )
      return undefined
  }
  // Whatever else is not zero is no fold.
  if (folded.weights.filter((value) => value === 0).length !== zeros) return undefined
  return {
    ...folded,
    weights,
    dims: [channels, 3, 3, 3],
    strides: [2, 2],
    pads: [1, 1, 1, 0],
    weightScales: folded.weightScales.slice(0, channels),
    bias: folded.bias.slice(0, channels),
  }
}

export function isMicrosoft(node: Node, opType: string): boolean {
  return node.domain === microsoftDomain && node.opType === opType
}

/** The one number of a constant scale. */
function scalarOf(graph: Graph, name: ValueName | undefined): number | undefined {
  const tensor = graph.initializers.get(name ?? '')
  return tensor?.type === 'float32' && tensor.data.length === 1 ? tensor.data[0] : undefined
}

/** The one unsigned byte of a constant zero point. */
function byteOf(graph: Graph, name: ValueName | undefined): number | undefined {
  const tensor = graph.initializers.get(name ?? '')
  return tensor?.type === 'uint8' && tensor.data.length === 1 ? tensor.data[0] : undefined
}

function pair(values: readonly number[]): readonly [number, number] {
  return [values[0] ?? 1, values[1] ?? 1]
}
