/**
 * Gradients of operators that work element by element.
 * Invariant: where an input was broadcast, its gradient is summed over the axes in which it was.
 */

import type { Node, ValueName } from '../../../onnx/graph.js'
import type { Gradient, GradientContext, GradientRule } from '../gradient-rule.js'

/** `gradient` (of an output) summed to what broadcasts to `shape` (of an input). */
export function unbroadcast(
  context: GradientContext,
  gradient: Gradient,
  shape: readonly number[],
): Gradient {
  const { writer } = context
  const lead = gradient.shape.length - shape.length
  const axes = gradient.shape.flatMap((size, axis) =>
    axis < lead || (size !== 1 && shape[axis - lead] === 1) ? [axis] : [],
  )
  if (axes.length === 0) return gradient
  const summed = writer.sumOver(gradient.name, axes)
  const kept = gradient.shape.map((size, axis) => (axes.includes(axis) ? 1 : size)).slice(Math.max(lead, 0))
  return { name: lead > 0 ? writer.reshape(summed, kept) : summed, shape: kept }
}

/** The gradient in a shape that may be smaller, where `times` says that each element stands for several. */
function scaledTo(context: GradientContext, gradient: Gradient, shape: readonly number[]): Gradient {
  // A gradient that broadcasts to the output stands for that many elements: they count once each in a sum.
  const output = context.shapeOf(context.node.outputs[0]!)
  const lead = output.length - shape.length
  const isSummed = output.some((size, axis) => size !== 1 && (axis < lead || shape[axis - lead] === 1))
  if (!isSummed) return gradient
  return unbroadcast(context, { name: context.gradient()!, shape: output }, shape)
}

function broadcastShape(...shapes: readonly (readonly number[])[]): readonly number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length))
  return Array.from({ length: rank }, (_, axis) =>
    Math.max(...shapes.map((shape) => shape[axis - rank + shape.length] ?? 1)),
  )
}

/** A value of the forward graph with its shape. */
function known(context: GradientContext, name: ValueName): Gradient {
  return { name, shape: context.shapeOf(name) }
}

/** `left op right`, with the shape that it has. */
function combine(context: GradientContext, opType: string, left: Gradient, right: Gradient): Gradient {
  return {
    name: context.writer.op(opType, [left.name, right.name]),
    shape: broadcastShape(left.shape, right.shape),
  }
}

export const add: GradientRule = (context) => {
  const dy = context.looseGradient()!
  return context.node.inputs.map((input, index) =>
    context.needs(index) ? scaledTo(context, dy, context.shapeOf(input)) : undefined,
  )
}

export const subtract: GradientRule = (context) => {
  const [left, right] = add(context) as readonly (Gradient | undefined)[]
  return [left, right && { ...right, name: context.writer.op('Neg', [right.name]) }]
}

export const multiply: GradientRule = (context) => {
  const [left, right] = context.node.inputs as readonly [ValueName, ValueName]
  const dy = context.looseGradient()!
  if (left === right) {
    const twice = { ...dy, name: context.writer.op('Mul', [dy.name, context.writer.float(2)]) }
    return [combine(context, 'Mul', twice, known(context, left)), undefined]
  }
  const gate = gateOf(context)
  if (gate !== undefined) return siluGradient(context, gate)
  return [left, right].map((input, index) =>
    context.needs(index)
      ? unbroadcast(
          context,
          combine(context, 'Mul', dy, known(context, index === 0 ? right : left)),
          context.shapeOf(input),
        )
      : undefined,
  )
}

/** The Sigmoid of x where this node is x * sigmoid(x). */
function gateOf(context: GradientContext): { sigmoid: Node; index: number } | undefined {
  for (const index of [0, 1]) {
    const sigmoid = context.producerOf(context.node.inputs[1 - index]!)
    if (sigmoid?.opType === 'Sigmoid' && sigmoid.inputs[0] === context.node.inputs[index])
      return { sigmoid, index }
  }
  return undefined
}

/** d(x s)/dx with s = sigmoid(x), y = x s: s + y - y s. The gate itself gets no gradient from here. */
function siluGradient(
  context: GradientContext,
  { sigmoid, index }: { readonly sigmoid: Node; readonly index: number },
): readonly (Gradient | undefined)[] {
  const { writer, node } = context
  const [s, y] = [sigmoid.outputs[0]!, node.outputs[0]!]
  const slope = writer.op('Add', [s, writer.op('Sub', [y, writer.op('Mul', [y, s])])])
  const gradient = combine(context, 'Mul', context.looseGradient()!, { ...known(context, y), name: slope })
  return index === 0 ? [gradient, undefined] : [undefined, gradient]
}

export const divide: GradientRule = (context) => {
  const [left, right] = context.node.inputs as readonly [ValueName, ValueName]
  const { writer } = context
  const share = combine(context, 'Div', context.looseGradient()!, known(context, right))
  const byRight = (): Gradient => {
    const down = combine(context, 'Mul', share, known(context, context.node.outputs[0]!))
    return { ...down, name: writer.op('Neg', [down.name]) }
  }
  return [
    context.needs(0) ? unbroadcast(context, share, context.shapeOf(left)) : undefined,
    context.needs(1) ? unbroadcast(context, byRight(), context.shapeOf(right)) : undefined,
  ]
}

/** dy y (1 - y). */
export const sigmoid: GradientRule = (context) => {
  const { writer } = context
  const y = known(context, context.node.outputs[0]!)
  const slope = writer.op('Mul', [y.name, writer.op('Sub', [writer.float(1), y.name])])
  return [combine(context, 'Mul', context.looseGradient()!, { ...y, name: slope })]
}

/** dy / (2 y). */
export const squareRoot: GradientRule = (context) => {
  const { writer } = context
  const dy = context.looseGradient()!
  const half = writer.op('Mul', [dy.name, writer.float(0.5)])
  return [combine(context, 'Div', { ...dy, name: half }, known(context, context.node.outputs[0]!))]
}

/** dy where y > 0. */
export const rectify: GradientRule = (context) => {
  const { writer, node } = context
  const positive = writer.op('Greater', [node.outputs[0]!, writer.float(0)])
  return [writer.op('Where', [positive, context.gradient()!, writer.float(0)])]
}

export const negate: GradientRule = (context) => {
  const dy = context.looseGradient()!
  return [{ ...dy, name: context.writer.op('Neg', [dy.name]) }]
}

export const identity: GradientRule = (context) => [context.looseGradient()]
