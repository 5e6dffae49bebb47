/**
 * One step of a fit as a graph, so that the inference runtime does the arithmetic.
 * For patches X, wanted answers F and the present sums Z = X W^T it takes a direction P of all weights and gives, for
 * each output o by itself, the step a_o that minimises the linearised error, the error there, and its gradient:
 *
 *     Q = X P^T,  c = sum (f'(Z) Q)^2,  a = descent / (c + ridge),  Z' = Z + a Q
 *     error = sum (f(Z') - F)^2,  gradient = ((f(Z') - F) f'(Z'))^T X
 *
 * The same is done without a gradient for patches that were held out.
 */

import { type Graph, makeNode, type Node, type ValueName } from '../../onnx/graph.js'
import { floatTensor, int64Tensor, type Tensor } from '../../onnx/tensor.js'
import type { Matrix } from './matrix-products.js'

/** What follows a convolution, as far as a fit looks through it. */
export type ActivationName = 'silu' | 'relu' | 'identity'

/** Patches [rows, unknowns] and wanted answers [rows, outputs], behind the activation. */
export interface FitRows {
  readonly patches: Matrix
  readonly answers: Matrix
}

/** The graph of a step. Inputs: sums, held_sums, direction, descent, ridge, use_curvature. */
export function stepGraph(fitted: FitRows, held: FitRows, activation: ActivationName): Graph {
  const [outputs, unknowns] = [fitted.answers.columns, fitted.patches.columns]
  const nodes: Node[] = []
  const add = (op: string, inputs: ValueName[], output: ValueName, attributes = {}): ValueName => {
    nodes.push(makeNode(op, output, inputs, [output], { attributes }))
    return output
  }
  const transposed = (side: 'transA' | 'transB') => ({ [side]: { kind: 'int', value: 1 } })
  const summed = (input: ValueName, output: ValueName): ValueName =>
    add('ReduceSum', [input, 'rows_axis'], output)

  add('Gemm', ['patches', 'direction'], 'ahead', transposed('transB'))
  add('Gemm', ['held_patches', 'direction'], 'held_ahead', transposed('transB'))
  const before = activationNodes(add, 'sums', 'before', activation)
  const bent = before.slope === undefined ? 'ahead' : add('Mul', [before.slope, 'ahead'], 'bent')
  add('Mul', [bent, bent], 'bent_squared')
  summed('bent_squared', 'bent_sum')
  add('Mul', ['bent_sum', 'use_curvature'], 'curvature')
  add('Add', ['curvature', 'ridge'], 'divisor')
  add('Div', ['descent', 'divisor'], 'step')
  add('Mul', ['ahead', 'step'], 'moved')
  add('Add', ['sums', 'moved'], 'next_sums')
  add('Mul', ['held_ahead', 'step'], 'held_moved')
  add('Add', ['held_sums', 'held_moved'], 'next_held_sums')
  const after = activationNodes(add, 'next_sums', 'after', activation)
  add('Sub', [after.value, 'answers'], 'difference')
  add('Mul', ['difference', 'difference'], 'squares')
  summed('squares', 'error')
  const weighted =
    after.slope === undefined ? 'difference' : add('Mul', ['difference', after.slope], 'weighted')
  add('Gemm', [weighted, 'patches'], 'gradient', transposed('transA'))
  const heldAfter = activationNodes(add, 'next_held_sums', 'held_after', activation)
  add('Sub', [heldAfter.value, 'held_answers'], 'held_difference')
  add('Mul', ['held_difference', 'held_difference'], 'held_squares')
  summed('held_squares', 'held_error')

  const info = (name: ValueName, rows: number | string, columns: number) => ({
    name,
    type: 'float32' as const,
    shape: [rows, columns],
  })
  return {
    name: 'fit_step',
    irVersion: 8,
    opsets: new Map([['', 13]]),
    inputs: [
      info('sums', fitted.patches.rows, outputs),
      info('held_sums', held.patches.rows, outputs),
      info('direction', outputs, unknowns),
      info('descent', 1, outputs),
      info('ridge', 1, outputs),
      info('use_curvature', 1, 1),
    ],
    outputs: [
      info('next_sums', fitted.patches.rows, outputs),
      info('next_held_sums', held.patches.rows, outputs),
      info('step', 1, outputs),
      info('error', 1, outputs),
      info('held_error', 1, outputs),
      info('gradient', outputs, unknowns),
    ],
    nodes: nodes.filter(
      (node) => nodes.some((user) => user.inputs.includes(node.outputs[0]!)) || isWanted(node),
    ),
    initializers: new Map<ValueName, Tensor>([
      ['patches', constant(fitted.patches)],
      ['answers', constant(fitted.answers)],
      ['held_patches', constant(held.patches)],
      ['held_answers', constant(held.answers)],
      ['rows_axis', int64Tensor([1], [0])],
      ['one', floatTensor([1, 1], [1])],
    ]),
    metadata: new Map(),
    carried: undefined,
  }
}

function isWanted(node: Node): boolean {
  return ['next_sums', 'next_held_sums', 'step', 'error', 'held_error', 'gradient'].includes(node.outputs[0]!)
}

function constant({ rows, columns, data }: Matrix): ReturnType<typeof floatTensor> {
  return floatTensor([rows, columns], data)
}

type AddNode = (op: string, inputs: ValueName[], output: ValueName) => ValueName

/** f(x) and f'(x); no slope where it is 1 everywhere. */
function activationNodes(
  add: AddNode,
  input: ValueName,
  prefix: string,
  activation: ActivationName,
): { readonly value: ValueName; readonly slope?: ValueName } {
  if (activation === 'identity') return { value: input }
  if (activation === 'relu') {
    const value = add('Relu', [input], `${prefix}_value`)
    return { value, slope: add('Sign', [value], `${prefix}_slope`) }
  }
  const sigmoid = add('Sigmoid', [input], `${prefix}_sigmoid`)
  const value = add('Mul', [input, sigmoid], `${prefix}_value`)
  // s (1 + x (1 - s)) = s + v (1 - s)
  const rest = add('Sub', ['one', sigmoid], `${prefix}_rest`)
  const bend = add('Mul', [value, rest], `${prefix}_bend`)
  return { value, slope: add('Add', [sigmoid, bend], `${prefix}_slope`) }
}
