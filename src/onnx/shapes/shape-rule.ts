/**
 * What a shape rule is, and the dimension arithmetic that rules share.
 * Invariant: a dimension is a number only where it is certain; an unknown one never turns into a guess.
 */

import { AgentError } from '../../base/errors.js'
import type { Dim, Node } from '../graph.js'
import type { ElementType, Tensor } from '../tensor.js'

export type Shape = readonly Dim[]

/** What is known of a value before the graph runs. */
export interface ValueType {
  readonly type: ElementType
  /** Undefined where even the number of dimensions is unknown. */
  readonly shape: Shape | undefined
  /** The elements of a small integer tensor of rank 0 or 1, where known: shapes that the graph computes itself. */
  readonly elements?: Shape
}

/** Everything about a node and its inputs that a shape rule may look at. */
export interface RuleContext {
  readonly node: Node
  /** Version of the operator set of the node's domain. */
  readonly opset: number
  /** Whether a size that depends on the data is taken as large as it can be, where that is known. */
  readonly takesLargest: boolean
  /** Input `index`; undefined where it is absent or nothing is known about it. */
  input(index: number): ValueType | undefined
  /** The tensor behind input `index` where it is an initializer. */
  constant(index: number): Tensor | undefined
}

/** One entry an output, in order; undefined for "not known". Throws `model.graph_invalid` where inputs contradict. */
export type ShapeRule = (context: RuleContext) => readonly (ValueType | undefined)[]

/** Refuses a node whose inputs or attributes cannot go together. */
export function contradiction(context: RuleContext, reason: string): never {
  const { node } = context
  throw new AgentError(
    'model.graph_invalid',
    `node ${node.name} (${node.opType}) has no valid shape: ${reason}`,
  )
}

/** Product of known sizes; undefined where one is unknown. */
export function sizeOf(shape: Shape): number | undefined {
  let size = 1
  for (const dim of shape) {
    if (typeof dim !== 'number') return undefined
    size *= dim
  }
  return size
}

/** Whether every dimension is a number. */
export function isStatic(shape: Shape | undefined): shape is readonly number[] {
  return shape?.every((dim) => typeof dim === 'number') === true
}

/** `axis` counted from the end where negative; contradiction where out of `-rank..rank-1`. */
export function normalAxis(context: RuleContext, axis: number, rank: number): number {
  const normal = axis < 0 ? axis + rank : axis
  if (normal < 0 || normal >= rank) contradiction(context, `axis ${axis} of a value with ${rank} dimensions`)
  return normal
}

/** Integer elements of a constant or computed input; undefined where not known or not all numbers. */
export function integersOf(context: RuleContext, index: number): readonly number[] | undefined {
  const elements = elementsOf(context, index)
  return elements !== undefined && isStatic(elements) ? elements : undefined
}

/** Elements of a constant or computed input of rank 0 or 1, some of which may be unknown. */
export function elementsOf(context: RuleContext, index: number): Shape | undefined {
  return context.input(index)?.elements
}

/** Element list of an integer tensor that is small enough to be a shape. */
export function elementsOfTensor(tensor: Tensor): readonly number[] | undefined {
  if (tensor.dims.length > 1 || tensor.data.length > 64) return undefined
  if (tensor.type !== 'int64' && tensor.type !== 'int32') return undefined
  return Array.from<bigint | number, number>(tensor.data, Number)
}

/** The shape two shapes broadcast to (NumPy rules). */
export function broadcast(
  context: RuleContext,
  left: Shape | undefined,
  right: Shape | undefined,
): Shape | undefined {
  if (left === undefined || right === undefined) return undefined
  const rank = Math.max(left.length, right.length)
  return Array.from({ length: rank }, (_, index) => {
    const a = aligned(left, index - (rank - left.length))
    const b = aligned(right, index - (rank - right.length))
    if (a === 1) return b
    if (b === 1 || a === b) return a
    if (typeof a === 'number' && typeof b === 'number') {
      return contradiction(context, `[${left.join(',')}] does not broadcast with [${right.join(',')}]`)
    }
    // One is unknown: a number above 1 decides, two unknowns do not.
    return typeof a === 'number' ? a : typeof b === 'number' ? b : undefined
  })
}

function aligned(shape: Shape, index: number): Dim {
  return index < 0 ? 1 : shape[index]
}
