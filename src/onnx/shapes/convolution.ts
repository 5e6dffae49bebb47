/**
 * Shape rules of convolutions and pooling: [N, C, D1, D2, ...] with spatial dimensions D.
 * Source of the size formulas: ONNX operator specification, Conv, ConvTranspose, MaxPool.
 */

import { intOf, intsOf, stringOf } from '../attributes.js'
import type { Dim } from '../graph.js'
import type { ElementType } from '../tensor.js'
import { contradiction, type RuleContext, type Shape, type ShapeRule } from './shape-rule.js'

interface Window {
  readonly kernel: readonly Dim[]
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
  /** Padding in elements: first what stands before each spatial axis, then what stands behind each. */
  readonly pads: readonly number[]
  readonly autoPad: string
  readonly ceil: boolean
}

/** Conv and its relatives: data at input 0, weights [M, C/group, k...] at input `weight`. */
export function convolution(
  weight: number,
  type: (context: RuleContext) => ElementType | undefined,
): ShapeRule {
  return (context) => {
    const data = context.input(0)
    const outputType = type(context)
    if (data?.shape === undefined || outputType === undefined) return [undefined]
    const weights = context.input(weight)?.shape
    const spatial = data.shape.length - 2
    if (spatial < 1) contradiction(context, `data [${data.shape.join(',')}] has no spatial dimension`)
    if (weights !== undefined && weights.length !== spatial + 2) {
      contradiction(context, `data has ${spatial + 2} dimensions, weights have ${weights.length}`)
    }
    requireChannels(context, data.shape[1], weights?.[1])
    const kernel = intsOf(context.node, 'kernel_shape') ?? weights?.slice(2)
    const window = windowOf(context, kernel ?? Array.from({ length: spatial }, () => undefined))
    const shape = [data.shape[0], weights?.[0], ...slide(context, data.shape.slice(2), window)]
    return [{ type: outputType, shape }]
  }
}

function requireChannels(context: RuleContext, channels: Dim, perGroup: Dim): void {
  const group = intOf(context.node, 'group', 1)
  if (typeof channels === 'number' && typeof perGroup === 'number' && channels !== perGroup * group) {
    contradiction(context, `data has ${channels} channels, weights expect ${perGroup * group}`)
  }
}

/** ConvTranspose: weights [C, M/group, k...]. */
export const transposedConvolution: ShapeRule = (context) => {
  const data = context.input(0)
  const weights = context.input(1)?.shape
  if (data?.shape === undefined || weights === undefined) return [undefined]
  const spatial = data.shape.length - 2
  if (spatial < 1 || weights.length !== spatial + 2)
    contradiction(context, 'data and weights differ in dimensions')
  const window = windowOf(context, intsOf(context.node, 'kernel_shape') ?? weights.slice(2))
  const extra = intsOf(context.node, 'output_padding') ?? zeros(spatial)
  const given = intsOf(context.node, 'output_shape')
  const group = intOf(context.node, 'group', 1)
  const sizes = data.shape.slice(2).map((size, axis): Dim => {
    if (given !== undefined) return given[axis]
    const kernel = window.kernel[axis]
    if (typeof size !== 'number' || typeof kernel !== 'number') return undefined
    if (window.autoPad.startsWith('SAME')) return size * window.strides[axis]!
    const reach = (kernel - 1) * window.dilations[axis]! + 1
    const pads = window.pads[axis]! + window.pads[axis + spatial]!
    return window.strides[axis]! * (size - 1) + (extra[axis] ?? 0) + reach - pads
  })
  const channels = weights[1]
  const outputs = typeof channels === 'number' ? channels * group : undefined
  return [{ type: data.type, shape: [data.shape[0], outputs, ...sizes] }]
}

/** MaxPool, AveragePool and their quantized forms; MaxPool's second output holds indices. */
export const pooling: ShapeRule = (context) => {
  const data = context.input(0)
  const kernel = intsOf(context.node, 'kernel_shape')
  if (data?.shape === undefined) return [undefined]
  if (kernel?.length !== data.shape.length - 2) {
    contradiction(context, `kernel_shape [${kernel?.join(',') ?? ''}] for data [${data.shape.join(',')}]`)
  }
  const shape = [...data.shape.slice(0, 2), ...slide(context, data.shape.slice(2), windowOf(context, kernel))]
  return [
    { type: data.type, shape },
    { type: 'int64', shape },
  ]
}

/** `Convolution` of our own domain: channels last, the first data at input 4, everything else in `geometry`. */
export const fusedConvolution: ShapeRule = (context) => {
  const shape = context.input(4)?.shape
  const [channels, ...rest] = intsOf(context.node, 'geometry') ?? []
  if (shape?.length !== 4 || channels === undefined) return [{ type: 'uint8', shape: undefined }]
  const window: Window = {
    kernel: rest.slice(0, 2),
    strides: rest.slice(2, 4),
    dilations: [1, 1],
    pads: rest.slice(4, 8),
    autoPad: 'NOTSET',
    ceil: false,
  }
  const spatial = slide(context, shape.slice(1, 3), window)
  return [{ type: 'uint8', shape: [shape[0], ...spatial, channels] }]
}

/** The rule for data `[N, D1, D2, ..., C]`: ONNX Runtime's own forms with the channels last. */
export function channelsLast(rule: ShapeRule): ShapeRule {
  return (context) =>
    rule({
      ...context,
      input: (index) => {
        const value = context.input(index)
        return index === 0 && value?.shape !== undefined
          ? { ...value, shape: channelsSecond(value.shape) }
          : value
      },
    }).map(
      (value) =>
        value && (value.shape === undefined ? value : { ...value, shape: channelsAtEnd(value.shape) }),
    )
}

function channelsSecond(shape: Shape): Shape {
  return [...shape.slice(0, 1), ...shape.slice(-1), ...shape.slice(1, -1)]
}

function channelsAtEnd(shape: Shape): Shape {
  return [...shape.slice(0, 1), ...shape.slice(2), ...shape.slice(1, 2)]
}

/** GlobalAveragePool, GlobalMaxPool: every spatial dimension becomes 1. */
export const globalPooling: ShapeRule = (context) => {
  const data = context.input(0)
  if (data === undefined) return [undefined]
  return [{ type: data.type, shape: data.shape?.map((dim, axis) => (axis < 2 ? dim : 1)) }]
}

function windowOf(context: RuleContext, kernel: Shape): Window {
  const { node } = context
  const spatial = kernel.length
  const window: Window = {
    kernel,
    strides: intsOf(node, 'strides') ?? Array.from({ length: spatial }, () => 1),
    dilations: intsOf(node, 'dilations') ?? Array.from({ length: spatial }, () => 1),
    pads: intsOf(node, 'pads') ?? zeros(2 * spatial),
    autoPad: stringOf(node, 'auto_pad', 'NOTSET'),
    ceil: intOf(node, 'ceil_mode', 0) === 1,
  }
  if (
    window.strides.length !== spatial ||
    window.dilations.length !== spatial ||
    window.pads.length !== 2 * spatial ||
    window.strides.some((stride) => stride < 1)
  ) {
    contradiction(context, `strides, dilations or pads do not fit ${spatial} spatial dimensions`)
  }
  return window
}

function slide(context: RuleContext, sizes: Shape, window: Window): Dim[] {
  const spatial = sizes.length
  if (window.kernel.length !== spatial) contradiction(context, 'the kernel does not fit the data')
  return sizes.map((size, axis) => {
    const kernel = window.kernel[axis]
    const stride = window.strides[axis]!
    if (typeof size !== 'number' || typeof kernel !== 'number') return undefined
    if (window.autoPad.startsWith('SAME')) return Math.ceil(size / stride)
    const reach = (kernel - 1) * window.dilations[axis]! + 1
    const pads = window.autoPad === 'VALID' ? 0 : window.pads[axis]! + window.pads[axis + spatial]!
    const steps = (size + pads - reach) / stride
    if (steps < 0) contradiction(context, `a window of ${reach} does not fit into ${size + pads}`)
    if (!window.ceil) return Math.floor(steps) + 1
    // With ceil_mode no window may start in the padding at the end.
    const count = Math.ceil(steps) + 1
    return (count - 1) * stride >= size + window.pads[axis]! ? count - 1 : count
  })
}

function zeros(length: number): number[] {
  return Array.from({ length }, () => 0)
}
