/** Shape rules of operators that move elements without computing. Invariant: element types pass unchanged. */

import { intOf, intsOf } from '../attributes.js'
import type { Dim } from '../graph.js'
import {
  contradiction,
  elementsOf,
  integersOf,
  normalAxis,
  type RuleContext,
  type Shape,
  type ShapeRule,
  sizeOf,
  broadcast,
  type ValueType,
} from './shape-rule.js'

/** Nothing in a detector has more dimensions; a hostile file may claim more. */
const rankMax = 16

function typed(input: ValueType, shape: Shape | undefined, elements?: Shape): readonly [ValueType] {
  return [{ type: input.type, shape, ...(elements === undefined ? {} : { elements }) }]
}

export const reshape: ShapeRule = (context) => {
  const data = context.input(0)
  if (data === undefined) return [undefined]
  const target = elementsOf(context, 1)
  if (target === undefined) {
    const rank = context.input(1)?.shape?.[0]
    const known = typeof rank === 'number' && rank <= rankMax
    return typed(data, known ? Array.from({ length: rank }, () => undefined) : undefined)
  }
  const allowZero = intOf(context.node, 'allowzero', 0) === 1
  const shape = target.map((dim, axis) => (dim === 0 && !allowZero ? data.shape?.[axis] : dim))
  const open = shape.indexOf(-1)
  if (open >= 0) shape[open] = remaining(context, data.shape, shape, open)
  const from = data.shape === undefined ? undefined : sizeOf(data.shape)
  const to = sizeOf(shape)
  if (from !== undefined && to !== undefined && from !== to) {
    contradiction(
      context,
      `[${data.shape?.join(',') ?? ''}] has ${from} elements, [${shape.join(',')}] has ${to}`,
    )
  }
  return typed(data, shape, shape.length <= 1 ? data.elements : undefined)
}

/** The size that -1 stands for. Dimensions that are the same symbol on both sides cancel out. */
function remaining(context: RuleContext, from: Shape | undefined, to: Shape, open: number): Dim {
  if (from === undefined) return undefined
  const left = [...from]
  const right = to.filter((_, axis) => axis !== open)
  for (const dim of right.filter((dim) => typeof dim === 'string')) {
    const at = left.indexOf(dim)
    if (at < 0) return undefined
    left.splice(at, 1)
    right.splice(right.indexOf(dim), 1)
  }
  const total = sizeOf(left)
  const known = sizeOf(right)
  if (total === undefined || known === undefined) return undefined
  if (known === 0 || total % known !== 0) {
    contradiction(context, `${total} elements do not divide into [${to.join(',')}]`)
  }
  return total / known
}

export const transpose: ShapeRule = (context) => {
  const data = context.input(0)
  if (data?.shape === undefined) return data === undefined ? [undefined] : typed(data, undefined)
  const { shape } = data
  const order = intsOf(context.node, 'perm') ?? shape.map((_, axis) => shape.length - 1 - axis)
  if (
    order.length !== shape.length ||
    new Set(order).size !== order.length ||
    !order.every((axis) => axis in shape)
  ) {
    contradiction(context, `perm [${order.join(',')}] for [${shape.join(',')}]`)
  }
  return typed(
    data,
    order.map((axis) => shape[axis]),
  )
}

/** Concat of inputs `first`, `first + step`, ... (QLinearConcat has scale and zero point between them). */
export function concatenation(first: number, step: number): ShapeRule {
  return (context) => {
    const parts: (ValueType | undefined)[] = []
    for (let index = first; index < context.node.inputs.length; index += step)
      parts.push(context.input(index))
    const [head] = parts
    if (head?.shape === undefined) return [undefined]
    const axis = normalAxis(context, intOf(context.node, 'axis', 0), head.shape.length)
    const shape: Dim[] = [...head.shape]
    for (const part of parts.slice(1)) joinAlong(context, shape, part?.shape, axis)
    const lists = parts.map((part) => part?.elements)
    const elements = lists.every((list) => list !== undefined) ? lists.flat() : undefined
    return typed(head, shape, elements !== undefined && elements.length <= 64 ? elements : undefined)
  }
}

function joinAlong(context: RuleContext, shape: Dim[], part: Shape | undefined, axis: number): void {
  if (part !== undefined && part.length !== shape.length) {
    contradiction(context, `[${shape.join(',')}] cannot be joined with [${part.join(',')}]`)
  }
  shape.forEach((dim, index) => {
    const other = part?.[index]
    if (index === axis) {
      shape[index] = typeof dim === 'number' && typeof other === 'number' ? dim + other : undefined
    } else if (typeof dim !== 'number') {
      shape[index] = other ?? dim
    } else if (typeof other === 'number' && other !== dim) {
      contradiction(
        context,
        `[${shape.join(',')}] cannot be joined with [${part?.join(',') ?? ''}] on axis ${axis}`,
      )
    }
  })
}

/** Split: sizes from input 1 (opset 13), attribute `split`, `num_outputs` (opset 18), or equal parts. */
export const split: ShapeRule = (context) => {
  const data = context.input(0)
  const { outputs } = context.node
  if (data?.shape === undefined) return outputs.map(() => undefined)
  const { shape, type } = data
  const axis = normalAxis(context, intOf(context.node, 'axis', 0), shape.length)
  const total = shape[axis]
  const sizes =
    integersOf(context, 1) ?? intsOf(context.node, 'split') ?? equalParts(total, outputs.length, context)
  if (typeof total === 'number' && sizes !== undefined) {
    const sum = sizes.reduce((a, b) => a + b, 0)
    if (sum !== total || sizes.length !== outputs.length) {
      contradiction(
        context,
        `${total} elements on axis ${axis} into ${outputs.length} parts of [${sizes.join(',')}]`,
      )
    }
  }
  return outputs.map((_, index) => ({ type, shape: shape.with(axis, sizes?.[index]) }))
}

function equalParts(total: Dim, parts: number, context: RuleContext): readonly number[] | undefined {
  // An unknown `split` input says nothing about the sizes.
  if (typeof total !== 'number' || (context.node.inputs[1] ?? '') !== '') return undefined
  const size = Math.ceil(total / parts)
  return Array.from({ length: parts }, (_, index) => Math.max(0, Math.min(size, total - index * size)))
}

/** Slice of opset 10 and newer: starts, ends, axes, steps are inputs. */
export const slice: ShapeRule = (context) => {
  const data = context.input(0)
  if (data?.shape === undefined) return data === undefined ? [undefined] : typed(data, undefined)
  const starts = elementsOf(context, 1)
  const ends = elementsOf(context, 2)
  const given = context.node.inputs
  const axes = (given[3] ?? '') === '' ? starts?.map((_, index) => index) : integersOf(context, 3)
  const steps = (given[4] ?? '') === '' ? starts?.map(() => 1) : integersOf(context, 4)
  const shape: Dim[] = [...data.shape]
  if (axes === undefined) return typed(data, shape.fill(undefined))
  axes.forEach((given, index) => {
    const axis = normalAxis(context, given, shape.length)
    shape[axis] = slicedSize(shape[axis], starts?.[index], ends?.[index], steps?.[index])
  })
  return typed(data, shape, slicedElements(data, starts, ends, steps))
}

function slicedSize(size: Dim, start: Dim, end: Dim, step: number | undefined): Dim {
  if (typeof size !== 'number' || typeof start !== 'number' || typeof end !== 'number') return undefined
  if (step === undefined || step === 0) return undefined
  const from = clampIndex(start, size, step)
  const to = clampIndex(end, size, step)
  return Math.max(0, Math.ceil((to - from) / step))
}

function clampIndex(index: number, size: number, step: number): number {
  const counted = index < 0 ? index + size : index
  return step > 0 ? Math.min(Math.max(counted, 0), size) : Math.min(Math.max(counted, -1), size - 1)
}

function slicedElements(
  data: ValueType,
  starts?: Shape,
  ends?: Shape,
  steps?: readonly number[],
): Shape | undefined {
  const { elements } = data
  const [start] = starts ?? []
  const [end] = ends ?? []
  if (elements === undefined || steps?.[0] !== 1 || typeof start !== 'number' || typeof end !== 'number')
    return undefined
  return elements.slice(clampIndex(start, elements.length, 1), clampIndex(end, elements.length, 1))
}

function axesOf(context: RuleContext): readonly number[] | undefined {
  return intsOf(context.node, 'axes') ?? integersOf(context, 1)
}

export const unsqueeze: ShapeRule = (context) => {
  const data = context.input(0)
  const axes = axesOf(context)
  if (data?.shape === undefined || axes === undefined)
    return data === undefined ? [undefined] : typed(data, undefined)
  const rank = data.shape.length + axes.length
  if (rank > rankMax) contradiction(context, `${rank} dimensions`)
  const added = new Set(axes.map((axis) => normalAxis(context, axis, rank)))
  const source = data.shape[Symbol.iterator]()
  const shape = Array.from({ length: rank }, (_, axis): Dim => (added.has(axis) ? 1 : source.next().value))
  return typed(data, shape, rank <= 1 ? data.elements : undefined)
}

export const squeeze: ShapeRule = (context) => {
  const data = context.input(0)
  if (data === undefined) return [undefined]
  const { shape } = data
  const named = intsOf(context.node, 'axes') !== undefined || (context.node.inputs[1] ?? '') !== ''
  const axes = axesOf(context)
  if (shape === undefined || (named && axes === undefined)) return typed(data, undefined)
  if (!named && shape.some((dim) => typeof dim !== 'number')) return typed(data, undefined)
  const gone = new Set(axes?.map((axis) => normalAxis(context, axis, shape.length)))
  const rest = shape.filter((dim, axis) => (named ? !gone.has(axis) : dim !== 1))
  return typed(data, rest, rest.length <= 1 ? data.elements : undefined)
}

export const flatten: ShapeRule = (context) => {
  const data = context.input(0)
  if (data?.shape === undefined) return data === undefined ? [undefined] : typed(data, [undefined, undefined])
  const axis = intOf(context.node, 'axis', 1)
  const at = axis < 0 ? axis + data.shape.length : axis
  return typed(data, [sizeOf(data.shape.slice(0, at)), sizeOf(data.shape.slice(at))])
}

export const expand: ShapeRule = (context) => {
  const data = context.input(0)
  if (data === undefined) return [undefined]
  return typed(data, broadcast(context, data.shape, elementsOf(context, 1)))
}

export const tile: ShapeRule = (context) => {
  const data = context.input(0)
  if (data === undefined) return [undefined]
  const repeats = elementsOf(context, 1)
  const shape = data.shape?.map((dim, axis): Dim => {
    const repeat = repeats?.[axis]
    return typeof dim === 'number' && typeof repeat === 'number' ? dim * repeat : undefined
  })
  return typed(data, shape)
}

/** Pad: begins, then ends, as input 1 (opset 11) with optional axes (opset 18). */
export const pad: ShapeRule = (context) => {
  const data = context.input(0)
  if (data?.shape === undefined) return data === undefined ? [undefined] : typed(data, undefined)
  const pads = integersOf(context, 1)
  const axes =
    (context.node.inputs[3] ?? '') === '' ? data.shape.map((_, axis) => axis) : integersOf(context, 3)
  if (pads?.length !== 2 * (axes?.length ?? 0) || axes === undefined) {
    return typed(
      data,
      data.shape.map(() => undefined),
    )
  }
  const shape: Dim[] = [...data.shape]
  axes.forEach((given, index) => {
    const axis = normalAxis(context, given, shape.length)
    const size = shape[axis]
    shape[axis] = typeof size === 'number' ? size + pads[index]! + pads[index + axes.length]! : undefined
  })
  return typed(data, shape)
}

export const gather: ShapeRule = (context) => {
  const data = context.input(0)
  const indices = context.input(1)
  if (data?.shape === undefined || indices?.shape === undefined) {
    return data === undefined ? [undefined] : typed(data, undefined)
  }
  const axis = normalAxis(context, intOf(context.node, 'axis', 0), data.shape.length)
  const shape = [...data.shape.slice(0, axis), ...indices.shape, ...data.shape.slice(axis + 1)]
  const picked = integersOf(context, 1)
  const { elements } = data
  return typed(data, shape, elements === undefined ? undefined : picked?.map((index) => elements.at(index)))
}

/** Like input 0, but of the shape of input 1 (GatherElements). */
export const gatherElements: ShapeRule = (context) => {
  const data = context.input(0)
  return data === undefined ? [undefined] : typed(data, context.input(1)?.shape)
}

/** DepthToSpace: [N, C*b*b, H, W] to [N, C, H*b, W*b]; SpaceToDepth the other way round. */
export function blocks(toSpace: boolean): ShapeRule {
  return (context) => {
    const data = context.input(0)
    if (data?.shape === undefined) return data === undefined ? [undefined] : typed(data, undefined)
    const block = intOf(context.node, 'blocksize', 1)
    const factors = toSpace
      ? [1, 1 / (block * block), block, block]
      : [1, block * block, 1 / block, 1 / block]
    return typed(
      data,
      data.shape.map((dim, axis) =>
        typeof dim === 'number' ? Math.floor(dim * factors[axis]! + 1e-9) : undefined,
      ),
    )
  }
}
