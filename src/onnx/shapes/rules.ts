/**
 * Operator -> shape rule: the list of what this tool understands.
 * Invariant: an operator without a row has outputs of unknown shape; nothing guesses.
 */

import { intOf } from '../attributes.js'
import { microsoftDomain, operatorDomain } from '../opset.js'
import type { ElementType } from '../tensor.js'
import {
  channelsLast,
  convolution,
  fusedConvolution,
  globalPooling,
  pooling,
  transposedConvolution,
} from './convolution.js'
import {
  broadcasting,
  cast,
  comparison,
  identity,
  likeFirst,
  likeFirstOfType,
  likeInputs,
  quantizedBinary,
  where,
} from './elementwise.js'
import {
  blocks,
  concatenation,
  expand,
  flatten,
  gather,
  gatherElements,
  pad,
  reshape,
  slice,
  split,
  squeeze,
  tile,
  transpose,
  unsqueeze,
} from './layout.js'
import { gemm, matrixProduct, resize } from './product.js'
import {
  argReduction,
  constant,
  constantOfShape,
  nonMaxSuppression,
  nonZero,
  range,
  reduction,
  shapeOf,
  topK,
} from './reduction.js'
import type { RuleContext, ShapeRule } from './shape-rule.js'

const typeOfInput =
  (index: number) =>
  (context: RuleContext): ElementType | undefined =>
    context.input(index)?.type
const always = (type: ElementType) => (): ElementType => type

const quantizedConvolution = convolution(3, (context) => context.input(7)?.type ?? 'uint8')

/** The output type of a Q operator is the type of its zero point. */
const quantized =
  (zeroPoint: number) =>
  (context: RuleContext): ElementType =>
    context.input(zeroPoint)?.type ?? 'uint8'

const sameAsFirst = [
  'Abs',
  'BatchNormalization',
  'Ceil',
  'Celu',
  'Clip',
  'Cos',
  'Elu',
  'Erf',
  'Exp',
  'Floor',
  'Gelu',
  'HardSigmoid',
  'HardSwish',
  'InstanceNormalization',
  'LayerNormalization',
  'LeakyRelu',
  'Log',
  'LogSoftmax',
  'LpNormalization',
  'Mish',
  'Neg',
  'Not',
  'Reciprocal',
  'Relu',
  'Round',
  'ScatterElements',
  'ScatterND',
  'Selu',
  'Sigmoid',
  'Sign',
  'Sin',
  'Softmax',
  'Softplus',
  'Softsign',
  'Sqrt',
  'Tanh',
  'ThresholdedRelu',
  'Trilu',
]

const broadcastOperators = ['And', 'Max', 'Mean', 'Min', 'Or', 'PRelu', 'Pow', 'Sum', 'Xor']
const comparisons = ['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual']
const reductions = [
  'ReduceL1',
  'ReduceL2',
  'ReduceLogSum',
  'ReduceLogSumExp',
  'ReduceMax',
  'ReduceMean',
  'ReduceMin',
  'ReduceProd',
  'ReduceSum',
  'ReduceSumSquare',
]

const standard = new Map<string, ShapeRule>([
  ...sameAsFirst.map((name): [string, ShapeRule] => [name, likeFirst]),
  ...broadcastOperators.map((name): [string, ShapeRule] => [name, broadcasting()]),
  ...comparisons.map((name): [string, ShapeRule] => [name, comparison]),
  ...reductions.map((name): [string, ShapeRule] => [name, reduction]),
  ['Add', broadcasting((left, right) => left + right)],
  ['ArgMax', argReduction],
  ['ArgMin', argReduction],
  ['AveragePool', pooling],
  ['Cast', cast],
  ['Concat', concatenation(0, 1)],
  ['Constant', constant],
  ['ConstantOfShape', constantOfShape],
  ['Conv', convolution(1, typeOfInput(0))],
  ['ConvInteger', convolution(1, always('int32'))],
  ['ConvTranspose', transposedConvolution],
  ['DepthToSpace', blocks(true)],
  ['DequantizeLinear', likeInputs(0, 1, 'float32')],
  ['Div', broadcasting((left, right) => Math.trunc(left / right))],
  ['Dropout', likeFirst],
  [
    'DynamicQuantizeLinear',
    (context) => [
      { type: 'uint8', shape: context.input(0)?.shape },
      { type: 'float32', shape: [] },
      { type: 'uint8', shape: [] },
    ],
  ],
  ['Expand', expand],
  ['Flatten', flatten],
  ['Gather', gather],
  ['GatherElements', gatherElements],
  ['Gemm', gemm],
  ['GlobalAveragePool', globalPooling],
  ['GlobalMaxPool', globalPooling],
  ['Identity', identity],
  ['IsNaN', likeFirstOfType('bool')],
  ['MatMul', matrixProduct(0, 1, typeOfInput(0))],
  ['MatMulInteger', matrixProduct(0, 1, always('int32'))],
  ['MaxPool', pooling],
  ['Mod', broadcasting()],
  ['Mul', broadcasting((left, right) => left * right)],
  ['NonMaxSuppression', nonMaxSuppression],
  ['NonZero', nonZero],
  ['Pad', pad],
  ['QLinearConv', quantizedConvolution],
  ['QLinearMatMul', matrixProduct(0, 3, quantized(7))],
  ['QuantizeLinear', likeInputs(0, 2, 'uint8')],
  ['Range', range],
  ['Reshape', reshape],
  ['Resize', resize],
  ['Shape', shapeOf],
  ['Size', () => [{ type: 'int64', shape: [] }]],
  ['Slice', slice],
  ['SpaceToDepth', blocks(false)],
  ['Split', split],
  ['Squeeze', squeeze],
  ['Sub', broadcasting((left, right) => left - right)],
  ['Tile', tile],
  ['TopK', topK],
  ['Transpose', transpose],
  ['Unsqueeze', unsqueeze],
  ['Where', where],
])

const microsoft = new Map<string, ShapeRule>([
  ['DequantizeLinear', likeInputs(0, 1, 'float32')],
  ['FusedConv', convolution(1, typeOfInput(0))],
  ['Gelu', likeFirst],
  ['QLinearAdd', quantizedBinary],
  ['NhwcMaxPool', channelsLast(pooling)],
  ['QLinearAveragePool', pooling],
  ['QLinearConcat', concatenation(2, 3)],
  [
    'QLinearConv',
    (context) =>
      intOf(context.node, 'channels_last', 0) === 1
        ? channelsLast(quantizedConvolution)(context)
        : quantizedConvolution(context),
  ],
  ['QLinearGlobalAveragePool', globalPooling],
  ['QLinearLeakyRelu', likeFirst],
  ['QLinearMul', quantizedBinary],
  ['QLinearSigmoid', likeFirst],
  ['QLinearSoftmax', likeFirst],
  ['QuantizeLinear', likeInputs(0, 2, 'uint8')],
  ['QuickGelu', likeFirst],
])

/** Operators that this program brings itself: they appear in graphs that were written while a session opened. */
const fused = new Map<string, ShapeRule>([
  ['Table', likeFirst],
  ['Convolution', fusedConvolution],
])

const byDomain = new Map([
  ['', standard],
  [microsoftDomain, microsoft],
  [operatorDomain, fused],
])

/** The rule of an operator; undefined where the table has no row. */
export function shapeRuleOf(domain: string, opType: string): ShapeRule | undefined {
  return byDomain.get(domain)?.get(opType)
}
