/** Shape rules of operators that work element by element. Invariant: the output has the broadcast shape of the inputs. */

import { intOf } from '../attributes.js'
import type { Dim } from '../graph.js'
import { elementTypeOf } from '../import-tensor.js'
import type { ElementType } from '../tensor.js'
import { broadcast, type RuleContext, type Shape, type ShapeRule } from './shape-rule.js'

/** The output is like the first input. */
export const likeFirst: ShapeRule = (context) => {
  const input = context.input(0)
  return [input === undefined ? undefined : { type: input.type, shape: input.shape }]
}

/** Identity: elements pass as well. */
export const identity: ShapeRule = (context) => [context.input(0)]

/** Broadcast of all inputs; the type of the first. `onElements` computes shape arithmetic. */
export function broadcasting(onElements?: (left: number, right: number) => number): ShapeRule {
  return (context) => {
    const first = context.input(0)
    if (first === undefined) return [undefined]
    const shape = broadcastAll(context, 0)
    const elements = onElements === undefined ? undefined : combine(context, onElements)
    return [{ type: first.type, shape, ...(elements === undefined ? {} : { elements }) }]
  }
}

/** Broadcast of all inputs; boolean. */
export const comparison: ShapeRule = (context) => [{ type: 'bool', shape: broadcastAll(context, 0) }]

/** Condition, then two values that decide the type. */
export const where: ShapeRule = (context) => {
  const value = context.input(1) ?? context.input(2)
  return [value === undefined ? undefined : { type: value.type, shape: broadcastAll(context, 0) }]
}

export const cast: ShapeRule = (context) => {
  const input = context.input(0)
  const type = elementTypeOf(intOf(context.node, 'to', 0), `node ${context.node.name}`)
  const isInteger = type === 'int64' || type === 'int32'
  const elements = isInteger ? input?.elements : undefined
  return [{ type, shape: input?.shape, ...(elements === undefined ? {} : { elements }) }]
}

/** The shape of the first input with a fixed element type. */
export function likeFirstOfType(type: ElementType): ShapeRule {
  return (context) => [{ type, shape: context.input(0)?.shape }]
}

/** One output of the shape of input `shapeIndex` and the type of input `typeIndex`. */
export function likeInputs(shapeIndex: number, typeIndex: number, missing: ElementType): ShapeRule {
  return (context) => [
    { type: context.input(typeIndex)?.type ?? missing, shape: context.input(shapeIndex)?.shape },
  ]
}

/** Two quantized operands at inputs 0 and 3 (com.microsoft QLinearAdd, QLinearMul). */
export const quantizedBinary: ShapeRule = (context) => {
  const first = context.input(0)
  const shape = broadcast(context, first?.shape, context.input(3)?.shape)
  return [first === undefined ? undefined : { type: first.type, shape }]
}

function broadcastAll(context: RuleContext, from: number): Shape | undefined {
  let shape = context.input(from)?.shape
  for (let index = from + 1; index < context.node.inputs.length; index++) {
    shape = broadcast(context, shape, context.input(index)?.shape)
  }
  return shape
}

function combine(
  context: RuleContext,
  onElements: (left: number, right: number) => number,
): Shape | undefined {
  const left = context.input(0)
  const right = context.input(1)
  if (left?.elements === undefined || right?.elements === undefined) return undefined
  const { elements: a } = left
  const { elements: b } = right
  if (a.length !== b.length && a.length !== 1 && b.length !== 1) return undefined
  return Array.from({ length: Math.max(a.length, b.length) }, (_, index): Dim => {
    const x = a[a.length === 1 ? 0 : index]
    const y = b[b.length === 1 ? 0 : index]
    if (typeof x !== 'number' || typeof y !== 'number') return undefined
    const result = onElements(x, y)
    return Number.isSafeInteger(result) ? result : undefined
  })
}
