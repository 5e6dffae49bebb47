/**
 * Gradients of convolutions.
 * Invariant: one large matrix product per gradient; what is not a product only copies.
 *
 *     dX  stride 1: a convolution of dY with the weights turned round; else a transposed convolution
 *     dW  dY [N, out, P] times the unfolded input [N, k k in, P], transposed, summed over the pictures
 *     db  dY summed over pictures and places
 */

import { AgentError } from '../../../base/errors.js'
import { intAttribute, intOf, intsAttribute, intsOf, stringOf } from '../../../onnx/attributes.js'
import type { ValueName } from '../../../onnx/graph.js'
import type { GradientContext, GradientRule } from '../gradient-rule.js'

interface Geometry {
  readonly kernel: readonly [number, number]
  readonly strides: readonly [number, number]
  /** Padding in pixels: top, left, bottom, right. */
  readonly pads: readonly [number, number, number, number]
  /** More than 1: each channel by itself (depthwise). */
  readonly group: number
}

function geometryOf(context: GradientContext, weight: readonly number[]): Geometry {
  const { node } = context
  const refuse = (what: string): AgentError =>
    new AgentError('model.op_unsupported', `${node.opType} ${node.name} has no gradient: ${what}`)
  if (weight.length !== 4) throw refuse(`it works in ${weight.length - 2} dimensions, expected 2`)
  const group = intOf(node, 'group', 1)
  const isDepthwise = node.opType === 'Conv' && weight[0] === group && weight[1] === 1
  if (group !== 1 && !isDepthwise) throw refuse('it has groups of more than one channel')
  if ((intsOf(node, 'dilations') ?? []).some((step) => step !== 1)) throw refuse('it is dilated')
  const autoPad = stringOf(node, 'auto_pad', 'NOTSET')
  if (autoPad !== 'NOTSET' && autoPad !== 'VALID') throw refuse(`its auto_pad is ${autoPad}`)
  const [top = 0, left = 0, bottom = 0, right = 0] = intsOf(node, 'pads') ?? []
  const [down = 1, across = 1] = intsOf(node, 'strides') ?? []
  return {
    kernel: [weight[2]!, weight[3]!],
    strides: [down, across],
    pads: [top, left, bottom, right],
    group,
  }
}

export const convolution: GradientRule = (context) => {
  const geometry = geometryOf(context, context.shapeOf(context.node.inputs[1]!))
  const dy = context.gradient()!
  return [
    context.needs(0) ? inputGradient(context, dy, geometry) : undefined,
    context.needs(1) ? convolutionWeightGradient(context, dy, geometry) : undefined,
    context.needs(2) ? biasGradient(context, dy) : undefined,
  ]
}

/** Weights `[in, out, k, k]`; the roles of input and output are those of a convolution, turned round. */
export const transposedConvolution: GradientRule = (context) => {
  const { node, writer } = context
  const [x, w] = node.inputs as readonly [ValueName, ValueName]
  const { kernel, strides, pads, group } = geometryOf(context, context.shapeOf(w))
  const dy = context.gradient()!
  const places = context.shapeOf(x)
  // Pads that follow from output_padding: what the window really covers of dY.
  const output = context.shapeOf(node.outputs[0]!)
  const covered = [0, 1].map((axis) => (places[2 + axis]! - 1) * strides[axis]! + kernel[axis]!)
  const ends = [0, 1].map((axis) => covered[axis]! - output[2 + axis]! - pads[axis]!)
  const geometry: Geometry = { kernel, strides, pads: [pads[0], pads[1], ends[0]!, ends[1]!], group }
  const conv = (): ValueName => {
    const padded = padTo(context, dy, geometry.pads)
    return writer.op('Conv', [padded, w], {
      kernel_shape: intsAttribute(kernel),
      strides: intsAttribute(strides),
    })
  }
  return [
    context.needs(0) ? conv() : undefined,
    context.needs(1)
      ? weightGradient(context, { small: x, smallShape: places, large: dy, largeShape: output }, geometry)
      : undefined,
    context.needs(2) ? biasGradient(context, dy) : undefined,
  ]
}

/** Zeros around the picture; negative numbers cut it. */
function padTo(context: GradientContext, value: ValueName, pads: Geometry['pads']): ValueName {
  if (pads.every((pad) => pad === 0)) return value
  const [top, left, bottom, right] = pads
  return context.writer.op('Pad', [value, context.writer.ints([0, 0, top, left, 0, 0, bottom, right])])
}

function biasGradient(context: GradientContext, dy: ValueName): ValueName {
  const { writer, node } = context
  return writer.reshape(writer.sumOver(dy, [0, 2, 3]), context.shapeOf(node.inputs[2]!))
}

function inputGradient(context: GradientContext, dy: ValueName, geometry: Geometry): ValueName {
  const { writer, node } = context
  const { kernel, strides, pads, group } = geometry
  const [x, w] = node.inputs as readonly [ValueName, ValueName]
  if (
    group === 1 &&
    strides[0] === 1 &&
    strides[1] === 1 &&
    pads.every((pad, side) => pad < kernel[side % 2]!)
  ) {
    return writer.op('Conv', [dy, writer.transpose(turned(context, w, kernel), [1, 0, 2, 3])], {
      kernel_shape: intsAttribute(kernel),
      pads: intsAttribute(pads.map((pad, side) => kernel[side % 2]! - 1 - pad)),
    })
  }
  const [input, output] = [context.shapeOf(x), context.shapeOf(node.outputs[0]!)]
  const missing = [0, 1].map(
    (axis) =>
      input[2 + axis]! -
      ((output[2 + axis]! - 1) * strides[axis]! - pads[axis]! - pads[axis + 2]! + kernel[axis]!),
  )
  return writer.op('ConvTranspose', [dy, w], {
    group: intAttribute(group),
    kernel_shape: intsAttribute(kernel),
    strides: intsAttribute(strides),
    pads: intsAttribute(pads),
    output_padding: intsAttribute(missing),
  })
}

/** The kernels turned by half a turn. */
function turned(context: GradientContext, w: ValueName, kernel: Geometry['kernel']): ValueName {
  if (kernel[0] === 1 && kernel[1] === 1) return w
  const { writer } = context
  const last = -(2 ** 31)
  return writer.op('Slice', [
    w,
    writer.ints([-1, -1]),
    writer.ints([last, last]),
    writer.ints([2, 3]),
    writer.ints([-1, -1]),
  ])
}

function convolutionWeightGradient(context: GradientContext, dy: ValueName, geometry: Geometry): ValueName {
  const smallShape = context.shapeOf(context.node.outputs[0]!)
  const large = context.node.inputs[0]!
  return geometry.group === 1
    ? weightGradient(context, { small: dy, smallShape, large }, geometry)
    : depthwiseWeightGradient(context, { dy, shape: smallShape, x: large }, geometry)
}

/** `[C, 1, kh, kw]`: for each tap the sum over pictures and places of dY times what the tap sees of the same channel. */
function depthwiseWeightGradient(
  context: GradientContext,
  { dy, shape, x }: { readonly dy: ValueName; readonly shape: readonly number[]; readonly x: ValueName },
  geometry: Geometry,
): ValueName {
  const { writer } = context
  const [, channels, height, width] = shape as [number, number, number, number]
  const sums = tapsOf(context, x, [height, width], geometry).map((tap) =>
    writer.reshape(writer.sumOver(writer.op('Mul', [dy, tap]), [0, 2, 3]), [channels, 1]),
  )
  const [kernelHeight, kernelWidth] = geometry.kernel
  const joined = sums.length === 1 ? sums[0]! : writer.op('Concat', sums, { axis: intAttribute(1) })
  return writer.reshape(joined, [channels, 1, kernelHeight, kernelWidth])
}

/**
 * `[a, b, kh, kw]`: sums over pictures and places of `small` `[N, a, h, w]` times the window of `large` `[N, b, H, W]`
 * that the place sees.
 */
function weightGradient(
  context: GradientContext,
  operands: {
    readonly small: ValueName
    readonly smallShape: readonly number[]
    readonly large: ValueName
    readonly largeShape?: readonly number[]
  },
  geometry: Geometry,
): ValueName {
  const { writer } = context
  const { small, smallShape, large, largeShape = context.shapeOf(large) } = operands
  const [batch, a, height, width] = smallShape as [number, number, number, number]
  const b = largeShape[1]!
  const [kernelHeight, kernelWidth] = geometry.kernel
  const places = height * width
  const taps = kernelHeight * kernelWidth
  const windows = unfold(context, large, [height, width], geometry)
  const columns = writer.reshape(windows, [batch, taps * b, places])
  const product = writer.op('MatMul', [
    writer.reshape(small, [batch, a, places]),
    writer.transpose(columns, [0, 2, 1]),
  ])
  const sum = batch === 1 ? product : writer.sumOver(product, [0])
  if (taps === 1) return writer.reshape(sum, [a, b, 1, 1])
  const byTap = writer.reshape(sum, [a, kernelHeight, kernelWidth, b])
  return writer.transpose(byTap, [0, 3, 1, 2])
}

/** What each tap of the kernel sees of an input with b channels, as `[N, taps b, h, w]`. */
function unfold(
  context: GradientContext,
  value: ValueName,
  places: readonly [number, number],
  geometry: Geometry,
): ValueName {
  const taps = tapsOf(context, value, places, geometry)
  return taps.length === 1 ? taps[0]! : context.writer.op('Concat', taps, { axis: intAttribute(1) })
}

/** What each tap of the kernel sees, row by row: `[N, b, h, w]` each. */
function tapsOf(
  context: GradientContext,
  value: ValueName,
  [height, width]: readonly [number, number],
  { kernel, strides, pads }: Geometry,
): readonly ValueName[] {
  const { writer } = context
  const padded = padTo(context, value, pads)
  if (kernel[0] * kernel[1] * strides[0] * strides[1] === 1) return [padded]
  const taps: ValueName[] = []
  for (let y = 0; y < kernel[0]; y++) {
    for (let x = 0; x < kernel[1]; x++) {
      taps.push(
        writer.op('Slice', [
          padded,
          writer.ints([y, x]),
          writer.ints([y + (height - 1) * strides[0] + 1, x + (width - 1) * strides[1] + 1]),
          writer.ints([2, 3]),
          writer.ints(strides),
        ]),
      )
    }
  }
  return taps
}
