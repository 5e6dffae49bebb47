/** Gradients of matrix products, sums over axes and Softmax. */

import { AgentError } from '../../../base/errors.js'
import { intOf, intsOf } from '../../../onnx/attributes.js'
import type { ValueName } from '../../../onnx/graph.js'
import type { Gradient, GradientContext, GradientRule } from '../gradient-rule.js'
import { unbroadcast } from './elementwise.js'
import { integersIn } from './layout.js'

function swapped(rank: number): readonly number[] {
  const axes = Array.from({ length: rank }, (_, axis) => axis)
  return [...axes.slice(0, -2), rank - 1, rank - 2]
}

/** dA = dY B', dB = A' dY; summed where a batch axis was broadcast. */
export const matrixProduct: GradientRule = (context) => {
  const { node, writer } = context
  const [a, b] = node.inputs as readonly [ValueName, ValueName]
  const [left, right] = [context.shapeOf(a), context.shapeOf(b)]
  if (left.length < 2 || right.length < 2) {
    throw new AgentError(
      'model.op_unsupported',
      `MatMul ${node.name} has no gradient: an operand is a vector`,
    )
  }
  const dy = context.gradient()!
  const lead = context.shapeOf(node.outputs[0]!).slice(0, -2)
  const product = (
    first: ValueName,
    second: ValueName,
    tail: readonly number[],
    shape: readonly number[],
  ): Gradient =>
    unbroadcast(context, { name: writer.op('MatMul', [first, second]), shape: [...lead, ...tail] }, shape)
  return [
    context.needs(0)
      ? product(dy, writer.transpose(b, swapped(right.length)), left.slice(-2), left)
      : undefined,
    context.needs(1)
      ? product(writer.transpose(a, swapped(left.length)), dy, right.slice(-2), right)
      : undefined,
  ]
}

/** The axes that a reduction sums over; all where none are given. */
function reducedAxes(context: GradientContext, rank: number): readonly number[] {
  const given = intsOf(context.node, 'axes') ?? integersIn(context, 1)
  const axes = given ?? Array.from({ length: rank }, (_, axis) => axis)
  return axes.map((axis) => (axis < 0 ? axis + rank : axis))
}

/** The gradient of each sum stands for all its terms; divided by their number where it is a mean. */
function reduction(isMean: boolean): GradientRule {
  return (context) => {
    const { node, writer } = context
    const input = context.shapeOf(node.inputs[0]!)
    const axes = reducedAxes(context, input.length)
    const kept = input.map((size, axis) => (axes.includes(axis) ? 1 : size))
    const dy =
      intOf(node, 'keepdims', 1) === 1 ? context.gradient()! : writer.reshape(context.gradient()!, kept)
    const terms = axes.reduce((product, axis) => product * input[axis]!, 1)
    return [{ name: isMean ? writer.op('Mul', [dy, writer.float(1 / terms)]) : dy, shape: kept }]
  }
}

export const sum = reduction(false)
export const mean = reduction(true)

/** y (dy - sum(dy y)). */
export const softmax: GradientRule = (context) => {
  const { node, writer } = context
  const rank = context.shapeOf(node.inputs[0]!).length
  const axis = intOf(node, 'axis', -1)
  const y = node.outputs[0]!
  const weighted = writer.op('Mul', [context.gradient()!, y])
  const total = writer.sumOver(weighted, [axis < 0 ? axis + rank : axis])
  return [writer.op('Sub', [weighted, writer.op('Mul', [y, total])])]
}
