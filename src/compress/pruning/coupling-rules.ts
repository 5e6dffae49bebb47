/**
 * The table of coupling rules: what each operator does to channels. An operator without a row is a barrier: the
 * channels that reach it stay, and the report names it.
 */

import type { Node } from '../../onnx/graph.js'
import type { Coupling } from './coupling.js'
import { coupleConv, coupleConvTranspose } from './rules/convolution.js'
import {
  coupleArithmetic,
  coupleNormalization,
  couplePad,
  coupleQuantization,
  coupleReduction,
  coupleResize,
  coupleUnary,
} from './rules/elementwise.js'
import { coupleConcat, coupleFreezing, coupleSlice, coupleSplit } from './rules/layout.js'

/** Writes the channels of the node's outputs and the constants it ties to them. */
type CouplingRule = (node: Node, coupling: Coupling) => void

/** Operators of the standard domain (and QuickGelu of `com.microsoft`) by type. */
export const couplingRules: ReadonlyMap<string, CouplingRule> = new Map<string, CouplingRule>([
  ['Conv', coupleConv],
  ['ConvTranspose', coupleConvTranspose],
  ['BatchNormalization', coupleNormalization],

  ['Sigmoid', coupleUnary],
  ['Relu', coupleUnary],
  ['LeakyRelu', coupleUnary],
  ['HardSigmoid', coupleUnary],
  ['HardSwish', coupleUnary],
  ['Elu', coupleUnary],
  ['Tanh', coupleUnary],
  ['Erf', coupleUnary],
  ['Gelu', coupleUnary],
  ['QuickGelu', coupleUnary],
  ['Softplus', coupleUnary],
  ['Mish', coupleUnary],
  ['Clip', coupleUnary],
  ['Abs', coupleUnary],
  ['Neg', coupleUnary],
  ['Exp', coupleUnary],
  ['Sqrt', coupleUnary],
  ['Cast', coupleUnary],
  ['Identity', coupleUnary],
  ['Dropout', coupleUnary],
  ['MaxPool', coupleUnary],
  ['AveragePool', coupleUnary],
  ['GlobalAveragePool', coupleUnary],
  ['GlobalMaxPool', coupleUnary],
  ['QuantizeLinear', coupleQuantization],
  ['DequantizeLinear', coupleQuantization],
  ['Pad', couplePad],
  ['Resize', coupleResize],
  ['Upsample', coupleResize],
  ['ReduceMean', coupleReduction],
  ['ReduceMax', coupleReduction],
  ['ReduceSum', coupleReduction],

  ['Add', coupleArithmetic],
  ['Sub', coupleArithmetic],
  ['Mul', coupleArithmetic],
  ['Div', coupleArithmetic],
  ['PRelu', coupleArithmetic],
  ['Max', coupleArithmetic],
  ['Min', coupleArithmetic],

  ['Concat', coupleConcat],
  ['Split', coupleSplit],
  ['Slice', coupleSlice],

  ['Reshape', coupleFreezing],
  ['Transpose', coupleFreezing],
  ['Flatten', coupleFreezing],
  ['Squeeze', coupleFreezing],
  ['Unsqueeze', coupleFreezing],
  ['Softmax', coupleFreezing],
  ['Gather', coupleFreezing],
  ['MatMul', coupleFreezing],
  ['Gemm', coupleFreezing],
  ['Shape', coupleFreezing],
])
