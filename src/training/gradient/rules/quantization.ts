/**
 * Gradients through a quantizer and its inverse, as if rounding were not there (straight-through estimator, Bengio et al. 2013):
 * dy inside the range that the integers can express, zero outside.
 */

import { AgentError } from '../../../base/errors.js'
import type { Tensor } from '../../../onnx/tensor.js'
import type { GradientContext, GradientRule } from '../gradient-rule.js'

const integerRanges: Readonly<Partial<Record<Tensor['type'], readonly [number, number]>>> = {
  uint8: [0, 255],
  int8: [-128, 127],
}

export const quantize: GradientRule = (context) => {
  const { node, writer } = context
  const [low, high] = rangeOf(context)
  const x = node.inputs[0]!
  const inside = writer.op('And', [
    writer.op('GreaterOrEqual', [x, writer.float(low)]),
    writer.op('LessOrEqual', [x, writer.float(high)]),
  ])
  return [writer.op('Where', [inside, context.gradient()!, writer.float(0)])]
}

/** What the integers stand for: the quantizer before it takes the gradient in units of the real value. */
export const dequantize: GradientRule = (context) => [context.gradient()]

function rangeOf(context: GradientContext): readonly [number, number] {
  const { node } = context
  const scale = context.constantOf(node.inputs[1] ?? '')
  const zero = context.constantOf(node.inputs[2] ?? '')
  const integers = zero === undefined ? integerRanges.uint8 : integerRanges[zero.type]
  if (scale?.type !== 'float32' || scale.data.length !== 1 || integers === undefined) {
    throw new AgentError(
      'model.op_unsupported',
      `${node.opType} ${node.name} has no gradient: expected one constant scale and 8 bits`,
    )
  }
  const offset = zero === undefined ? 0 : Number(zero.data[0])
  // Half a step outside still rounds to the last integer.
  return [(integers[0] - offset - 0.5) * scale.data[0]!, (integers[1] - offset + 0.5) * scale.data[0]!]
}
