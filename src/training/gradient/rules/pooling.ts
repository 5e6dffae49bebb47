/** Gradients of operators that pool or enlarge pictures. */

import { AgentError } from '../../../base/errors.js'
import { intAttribute, intOf, intsAttribute, intsOf, stringOf } from '../../../onnx/attributes.js'
import { elementCount } from '../../../onnx/tensor.js'
import type { GradientRule } from '../gradient-rule.js'

/** The gradient goes to the place of each maximum, which the second output names; windows overlap, so gradients add up. */
export const maxPooling: GradientRule = (context) => {
  const { node, writer } = context
  const input = context.shapeOf(node.inputs[0]!)
  const [output, indices] = node.outputs as readonly [string, string]
  const count = elementCount(context.shapeOf(output))
  const scattered = writer.op(
    'ScatterElements',
    [
      writer.zeros([elementCount(input)]),
      writer.reshape(indices, [count]),
      writer.reshape(context.gradient()!, [count]),
    ],
    { reduction: { kind: 'string', value: 'add' } },
  )
  return [writer.reshape(scattered, input)]
}

/** Each place takes its share of every window that it was in: the same mean, of windows that reach as far the other way. */
export const averagePooling: GradientRule = (context) => {
  const { node, writer } = context
  const kernel = intsOf(node, 'kernel_shape') ?? []
  const pads = intsOf(node, 'pads') ?? kernel.flatMap(() => [0, 0])
  const counts = intOf(node, 'count_include_pad', 0) === 1 || pads.every((pad) => pad === 0)
  const steps = [...(intsOf(node, 'strides') ?? []), ...(intsOf(node, 'dilations') ?? [])]
  const isPlain = steps.every((step) => step === 1) && stringOf(node, 'auto_pad', 'NOTSET') === 'NOTSET'
  const isWithin = pads.every((pad, index) => pad < kernel[index % kernel.length]!)
  if (!isPlain || !counts || !isWithin) {
    throw new AgentError(
      'model.op_unsupported',
      `AveragePool ${node.name} has no gradient: expected strides of 1 and windows that count their padding`,
    )
  }
  return [
    writer.op('AveragePool', [context.gradient()!], {
      kernel_shape: intsAttribute(kernel),
      pads: intsAttribute(pads.map((pad, index) => kernel[index % kernel.length]! - 1 - pad)),
      count_include_pad: intAttribute(1),
    }),
  ]
}

/** Each value was written to a block of places: the sum over the block. */
export const nearestResize: GradientRule = (context) => {
  const { node, writer } = context
  const [input, output] = [context.shapeOf(node.inputs[0]!), context.shapeOf(node.outputs[0]!)]
  const block = [output[2]! / input[2]!, output[3]! / input[3]!] as const
  const isCopy =
    stringOf(node, 'mode', 'nearest') === 'nearest' &&
    input[0] === output[0] &&
    input[1] === output[1] &&
    block.every((times) => Number.isInteger(times))
  if (!isCopy) {
    throw new AgentError(
      'model.op_unsupported',
      `Resize ${node.name} has no gradient: expected whole enlargements to the nearest value`,
    )
  }
  const mean = writer.op('AveragePool', [context.gradient()!], {
    kernel_shape: intsAttribute(block),
    strides: intsAttribute(block),
  })
  return [writer.op('Mul', [mean, writer.float(block[0] * block[1])])]
}
