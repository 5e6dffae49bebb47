/**
 * What quantisation knows of each operator: one row each.
 * Invariant: an operator without a row, or with one that does not accept the node, is a barrier: it stays float, and
 * the report names it with the reason.
 */

import { intOf, intsOf, stringOf } from '../../onnx/attributes.js'
import type { Graph, Node } from '../../onnx/graph.js'
import { shapesOf } from '../../onnx/shapes/infer-shapes.js'
import { floatWeightOf } from './weights.js'

/** How the integers of an output relate to those of the inputs. */
export type OutputScale =
  /** The output has a range of its own. */
  | 'own'
  /** The output is a sigmoid: 0..1 whatever the data. */
  | 'unit'
  /** Values are moved or compared, never computed: inputs and outputs share one scale. */
  | 'shared'

export interface QuantizationRule {
  readonly output: OutputScale
  /** Why this node cannot be computed on integers; undefined where it can. */
  readonly refusal: (node: Node, graph: Graph) => string | undefined
}

export type QuantizationRules = ReadonlyMap<string, QuantizationRule>

const conv: QuantizationRule = {
  output: 'own',
  refusal: (node, graph) =>
    floatWeightOf(graph, node) === undefined ? 'its weight is not a float constant of rank 4' : undefined,
}
const maxPool: QuantizationRule = {
  output: 'shared',
  refusal: (node) => {
    if (intOf(node, 'ceil_mode', 0) !== 0) return 'it rounds its output size up'
    return node.outputs.length > 1 ? 'its indices are used' : undefined
  },
}
const concat: QuantizationRule = {
  output: 'shared',
  refusal: (node) => (intOf(node, 'axis', 1) === 1 ? undefined : 'it does not join channels'),
}
const split: QuantizationRule = {
  output: 'shared',
  refusal: (node) => (intOf(node, 'axis', 0) === 1 ? undefined : 'it does not part channels'),
}
const resize: QuantizationRule = {
  output: 'shared',
  refusal: (node, graph) =>
    enlargement(node, graph) === undefined ? 'it is no nearest enlargement by whole numbers' : undefined,
}
const sigmoid: QuantizationRule = { output: 'unit', refusal: () => undefined }
/** Add or Mul of two computed values of one shape. */
const elementwise: QuantizationRule = {
  output: 'own',
  refusal: (node, graph) => {
    const shapes = node.inputs.map((input) => shapesOf(graph).staticShapeOf(input)?.join())
    if (node.inputs.some((input) => graph.initializers.has(input))) return 'one operand is a constant'
    return shapes[0] === undefined || shapes[0] !== shapes[1] ? 'its operands differ in shape' : undefined
  },
}

/** For processors: the whole body of the network on integers. */
export const integerRules: QuantizationRules = new Map([
  ['Conv', conv],
  ['Sigmoid', sigmoid],
  ['Mul', elementwise],
  ['Add', elementwise],
  ['Concat', concat],
  ['Split', split],
  ['MaxPool', maxPool],
  ['Resize', resize],
])

/** For TensorRT: no pair inside what it fuses (convolution with SiLU); it carries scales through the rest itself. */
export const tensorrtRules: QuantizationRules = new Map([
  ['Conv', conv],
  ['Add', elementwise],
  ['Concat', concat],
  ['Split', split],
  ['MaxPool', maxPool],
  ['Resize', resize],
])

/** Why `node` stays float under `rules`, or undefined where it is quantised. Only maps of pictures (rank 4) are. */
export function refusalOf(node: Node, graph: Graph, rules: QuantizationRules): string | undefined {
  const rule = node.domain === '' ? rules.get(node.opType) : undefined
  if (rule === undefined) return `${node.opType} has no integer form`
  const [input] = node.inputs
  const { length } = (input === undefined ? undefined : shapesOf(graph).typeOf(input)?.shape) ?? []
  if (length !== 4) return 'its input is no map of a picture (rank 4)'
  return rule.refusal(node, graph)
}

/**
 * How many times a Resize repeats rows and columns, where it is a nearest-neighbour enlargement by whole numbers that
 * takes each output cell from the cell it lies in; undefined for every other Resize.
 */
export function enlargement(node: Node, graph: Graph): { rows: number; columns: number } | undefined {
  if (stringOf(node, 'mode', 'nearest') !== 'nearest' || intsOf(node, 'axes') !== undefined) return undefined
  const coordinates = stringOf(node, 'coordinate_transformation_mode', 'half_pixel')
  const rounding = stringOf(node, 'nearest_mode', 'round_prefer_floor')
  const fromCorner = coordinates === 'asymmetric' && rounding === 'floor'
  const fromCentre = coordinates === 'half_pixel' && rounding.startsWith('round_prefer')
  if (!fromCorner && !fromCentre) return undefined
  const input = shapesOf(graph).staticShapeOf(node.inputs[0] ?? '')
  const output = shapesOf(graph).staticShapeOf(node.outputs[0] ?? '')
  if (input?.length !== 4 || output?.length !== 4) return undefined
  const rows = output[2]! / input[2]!
  const columns = output[3]! / input[3]!
  const whole = Number.isInteger(rows) && Number.isInteger(columns) && rows >= 1 && columns >= 1
  return whole && output[1] === input[1] ? { rows, columns } : undefined
}
