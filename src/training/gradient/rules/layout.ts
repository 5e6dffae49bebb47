/** Gradients of operators that move elements and change none. Invariant: each element's gradient goes back to its place. */

import { AgentError } from '../../../base/errors.js'
import { intAttribute, intOf, intsOf } from '../../../onnx/attributes.js'
import type { ValueName } from '../../../onnx/graph.js'
import type { GradientContext, GradientRule } from '../gradient-rule.js'

/** The integers of a constant input. Throws `model.op_unsupported` where it is computed. */
export function integersIn(context: GradientContext, index: number): readonly number[] | undefined {
  const { node } = context
  const name = node.inputs[index] ?? ''
  if (name === '') return undefined
  const tensor = context.constantOf(name)
  if (tensor === undefined) {
    throw new AgentError(
      'model.op_unsupported',
      `${node.opType} ${node.name} has no gradient: its input ${name} is not constant`,
    )
  }
  return Array.from(tensor.data as ArrayLike<number | bigint>, Number)
}

function axisOf(context: GradientContext, rank: number, missing: number): number {
  const axis = intOf(context.node, 'axis', missing)
  return axis < 0 ? axis + rank : axis
}

/** The gradient of a concatenation: a Split of the gradient along the same axis, one part for each input. */
export const concatenation: GradientRule = (context) => {
  const { node, writer } = context
  const shapes = node.inputs.map((input) => context.shapeOf(input))
  const axis = axisOf(context, shapes[0]!.length, 0)
  const sizes = writer.ints(shapes.map((shape) => shape[axis]!))
  const parts = writer.ops('Split', [context.gradient()!, sizes], node.inputs.length, {
    axis: intAttribute(axis),
  })
  return parts.map((part, index) => (context.needs(index) ? part : undefined))
}

/** A Concat of the gradients; zeros for an output that nothing depends on. */
export const split: GradientRule = (context) => {
  const { node, writer } = context
  const axis = axisOf(context, context.shapeOf(node.inputs[0]!).length, 0)
  const parts = node.outputs.map(
    (output, index): ValueName => context.gradient(index) ?? writer.zeros(context.shapeOf(output)),
  )
  return [writer.op('Concat', parts, { axis: intAttribute(axis) })]
}

/** The gradient in its place, zeros around it. */
export const slice: GradientRule = (context) => {
  const { node, writer } = context
  const input = context.shapeOf(node.inputs[0]!)
  const output = context.shapeOf(node.outputs[0]!)
  const starts = integersIn(context, 1)!
  const axes = integersIn(context, 3) ?? starts.map((_, index) => index)
  const steps = integersIn(context, 4) ?? starts.map(() => 1)
  if (steps.some((step) => step !== 1)) {
    throw new AgentError(
      'model.op_unsupported',
      `Slice ${node.name} has no gradient: its steps are ${steps.join(',')}, expected 1`,
    )
  }
  const before = input.map(() => 0)
  for (const [index, start] of starts.entries()) {
    const axis = axes[index]! < 0 ? axes[index]! + input.length : axes[index]!
    before[axis] = Math.min(input[axis]!, start < 0 ? Math.max(0, start + input[axis]!) : start)
  }
  const behind = input.map((size, axis) => size - before[axis]! - output[axis]!)
  return [writer.op('Pad', [context.gradient()!, writer.ints([...before, ...behind])])]
}

export const reshape: GradientRule = (context) => [
  context.writer.reshape(context.gradient()!, context.shapeOf(context.node.inputs[0]!)),
]

/** The gradient of a transposition: the inverse permutation of the gradient. */
export const transpose: GradientRule = (context) => {
  const rank = context.shapeOf(context.node.inputs[0]!).length
  const perm = intsOf(context.node, 'perm') ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis)
  const inverse = perm.map((_, axis) => perm.indexOf(axis))
  return [context.writer.transpose(context.gradient()!, inverse)]
}
