/** Shape rules of reductions and of operators that generate values from a shape. */

import { intOf, intsOf, tensorOf } from '../attributes.js'
import type { Dim } from '../graph.js'
import type { ElementType } from '../tensor.js'
import { elementsOf, elementsOfTensor, integersOf, normalAxis, type ShapeRule, sizeOf } from './shape-rule.js'

/** ReduceMin, ReduceMax, ReduceSum, ReduceMean, ...: axes as attribute, or as input 1 in newer operator sets. */
export const reduction: ShapeRule = (context) => {
  const data = context.input(0)
  if (data === undefined) return [undefined]
  const { shape } = data
  const keep = intOf(context.node, 'keepdims', 1) === 1
  const axes = intsOf(context.node, 'axes') ?? integersOf(context, 1)
  const named = axes !== undefined || (context.node.inputs[1] ?? '') !== ''
  if (shape === undefined || (named && axes === undefined)) return [{ type: data.type, shape: undefined }]
  const none = axes === undefined || axes.length === 0
  if (none && intOf(context.node, 'noop_with_empty_axes', 0) === 1) return [{ type: data.type, shape }]
  const gone = none
    ? new Set(shape.keys())
    : new Set(axes.map((axis) => normalAxis(context, axis, shape.length)))
  const reduced = keep
    ? shape.map((dim, axis): Dim => (gone.has(axis) ? 1 : dim))
    : shape.filter((_, axis) => !gone.has(axis))
  return [{ type: data.type, shape: reduced }]
}

export const argReduction: ShapeRule = (context) => {
  const shape = context.input(0)?.shape
  if (shape === undefined) return [{ type: 'int64', shape: undefined }]
  const axis = normalAxis(context, intOf(context.node, 'axis', 0), shape.length)
  const keep = intOf(context.node, 'keepdims', 1) === 1
  return [{ type: 'int64', shape: keep ? shape.with(axis, 1) : shape.toSpliced(axis, 1) }]
}

export const topK: ShapeRule = (context) => {
  const data = context.input(0)
  if (data?.shape === undefined) return [undefined, undefined]
  const axis = normalAxis(context, intOf(context.node, 'axis', -1), data.shape.length)
  const shape = data.shape.with(axis, integersOf(context, 1)?.[0])
  return [
    { type: data.type, shape },
    { type: 'int64', shape },
  ]
}

export const shapeOf: ShapeRule = (context) => {
  const shape = context.input(0)?.shape
  if (shape === undefined) return [{ type: 'int64', shape: [undefined] }]
  const elements = shape.slice(intOf(context.node, 'start', 0), intOf(context.node, 'end', shape.length))
  return [{ type: 'int64', shape: [elements.length], elements }]
}

export const constantOfShape: ShapeRule = (context) => {
  const type: ElementType = tensorOf(context.node, 'value')?.type ?? 'float32'
  return [{ type, shape: elementsOf(context, 0) }]
}

export const constant: ShapeRule = (context) => {
  const tensor = tensorOf(context.node, 'value')
  if (tensor === undefined) return [undefined]
  const elements = elementsOfTensor(tensor)
  return [{ type: tensor.type, shape: tensor.dims, ...(elements === undefined ? {} : { elements }) }]
}

export const range: ShapeRule = (context) => {
  const start = integersOf(context, 0)?.[0]
  const limit = integersOf(context, 1)?.[0]
  const delta = integersOf(context, 2)?.[0]
  const known = start !== undefined && limit !== undefined && delta !== undefined && delta !== 0
  const count = known ? Math.max(0, Math.ceil((limit - start) / delta)) : undefined
  const type = context.input(0)?.type
  return [type === undefined ? undefined : { type, shape: [count] }]
}

export const nonZero: ShapeRule = (context) => {
  const shape = context.input(0)?.shape
  const most = context.takesLargest && shape !== undefined ? sizeOf(shape) : undefined
  return [{ type: 'int64', shape: [shape?.length, most] }]
}

export const nonMaxSuppression: ShapeRule = () => [{ type: 'int64', shape: [undefined, 3] }]
