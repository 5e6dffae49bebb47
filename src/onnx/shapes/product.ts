/** Shape rules of matrix products and of Resize. */

import { intOf, intsOf } from '../attributes.js'
import type { Dim } from '../graph.js'
import type { ElementType } from '../tensor.js'
import {
  broadcast,
  contradiction,
  elementsOf,
  type RuleContext,
  type Shape,
  type ShapeRule,
} from './shape-rule.js'

/** MatMul of inputs `left` and `right`: [..., M, K] x [..., K, N]. */
export function matrixProduct(
  left: number,
  right: number,
  type: (context: RuleContext) => ElementType | undefined,
): ShapeRule {
  return (context) => {
    const outputType = type(context)
    if (outputType === undefined) return [undefined]
    return [
      {
        type: outputType,
        shape: productShape(context, context.input(left)?.shape, context.input(right)?.shape),
      },
    ]
  }
}

function productShape(context: RuleContext, a: Shape | undefined, b: Shape | undefined): Shape | undefined {
  if (a === undefined || b === undefined) return undefined
  if (a.length === 0 || b.length === 0) contradiction(context, 'a scalar operand')
  const rows = a.length === 1 ? [1, a[0]] : a
  const columns = b.length === 1 ? [b[0], 1] : b
  const inner = [rows.at(-1), columns.at(-2)]
  if (typeof inner[0] === 'number' && typeof inner[1] === 'number' && inner[0] !== inner[1]) {
    contradiction(context, `[${a.join(',')}] times [${b.join(',')}]`)
  }
  const batch = broadcast(context, rows.slice(0, -2), columns.slice(0, -2))
  if (batch === undefined) return undefined
  return [...batch, ...(a.length === 1 ? [] : [rows.at(-2)]), ...(b.length === 1 ? [] : [columns.at(-1)])]
}

export const gemm: ShapeRule = (context) => {
  const a = context.input(0)
  const b = context.input(1)
  if (a === undefined) return [undefined]
  const rows = a.shape?.[intOf(context.node, 'transA', 0) === 1 ? 1 : 0]
  const columns = b?.shape?.[intOf(context.node, 'transB', 0) === 1 ? 0 : 1]
  return [{ type: a.type, shape: [rows, columns] }]
}

/** Resize: `sizes` (input 3) or `scales` (input 2), for all axes or those in attribute `axes` (opset 18). */
export const resize: ShapeRule = (context) => {
  const data = context.input(0)
  if (data?.shape === undefined)
    return data === undefined ? [undefined] : [{ type: data.type, shape: undefined }]
  const { shape } = data
  const axes = intsOf(context.node, 'axes') ?? shape.map((_, axis) => axis)
  const sizes = elementsOf(context, 3)
  const scales = context.constant(2)
  const resized: Dim[] = [...shape]
  axes.forEach((given, index) => {
    const axis = given < 0 ? given + shape.length : given
    if (!(axis in shape)) contradiction(context, `axis ${given} of [${shape.join(',')}]`)
    resized[axis] = resizedSize(shape[axis], sizes?.[index], scales?.data[index])
  })
  return [{ type: data.type, shape: resized }]
}

function resizedSize(size: Dim, target: Dim, scale: number | bigint | undefined): Dim {
  if (target !== undefined) return target
  if (scale === undefined) return undefined
  // A scale of 1 keeps a symbol; any other makes it unknown.
  if (typeof size !== 'number') return Number(scale) === 1 ? size : undefined
  return Math.floor(size * Number(scale))
}
