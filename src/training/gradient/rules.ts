/** Which operators have a gradient. Invariant: an operator without a row is refused by name where a gradient must pass it. */

import type { GradientRule } from './gradient-rule.js'
import { convolution, transposedConvolution } from './rules/convolution.js'
import * as elementwise from './rules/elementwise.js'
import * as layout from './rules/layout.js'
import { averagePooling, maxPooling, nearestResize } from './rules/pooling.js'
import { matrixProduct, mean, softmax, sum } from './rules/product.js'
import { dequantize, quantize } from './rules/quantization.js'

export const gradientRules: ReadonlyMap<string, GradientRule> = new Map([
  ['Conv', convolution],
  ['ConvTranspose', transposedConvolution],
  ['MatMul', matrixProduct],
  ['MaxPool', maxPooling],
  ['AveragePool', averagePooling],
  ['Resize', nearestResize],
  ['Add', elementwise.add],
  ['Sub', elementwise.subtract],
  ['Mul', elementwise.multiply],
  ['Div', elementwise.divide],
  ['Neg', elementwise.negate],
  ['Sqrt', elementwise.squareRoot],
  ['Sigmoid', elementwise.sigmoid],
  ['Relu', elementwise.rectify],
  ['Identity', elementwise.identity],
  ['Softmax', softmax],
  ['ReduceSum', sum],
  ['ReduceMean', mean],
  ['Concat', layout.concatenation],
  ['Split', layout.split],
  ['Slice', layout.slice],
  ['Reshape', layout.reshape],
  ['Flatten', layout.reshape],
  ['Squeeze', layout.reshape],
  ['Unsqueeze', layout.reshape],
  ['Transpose', layout.transpose],
  ['QuantizeLinear', quantize],
  ['DequantizeLinear', dequantize],
])
