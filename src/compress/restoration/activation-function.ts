/** The activation after a convolution, as far as a fit can look through it. */

import { type Graph, indexOf, type Node } from '../../onnx/graph.js'

/** A scalar function and its derivative. */
export interface ActivationFunction {
  readonly value: (input: number) => number
  readonly slope: (input: number) => number
}

const silu: ActivationFunction = {
  value: (x) => x / (1 + Math.exp(-x)),
  slope: (x) => {
    const sigmoid = 1 / (1 + Math.exp(-x))
    return sigmoid * (1 + x * (1 - sigmoid))
  },
}

const relu: ActivationFunction = { value: (x) => Math.max(0, x), slope: (x) => (x > 0 ? 1 : 0) }

/** SiLU (x * sigmoid(x)) or ReLU where the output of `node` goes only there; undefined for anything else. */
export function activationAfter(graph: Graph, node: Node): ActivationFunction | undefined {
  const output = node.outputs[0]!
  const users = indexOf(graph).usersOf(output)
  if (users.length === 1 && users[0]!.opType === 'Relu') return relu
  const sigmoid = users.find((user) => user.opType === 'Sigmoid')
  const product = users.find((user) => user.opType === 'Mul')
  if (users.length !== 2 || sigmoid === undefined || product === undefined) return undefined
  return product.inputs.includes(sigmoid.outputs[0]!) && product.inputs.includes(output) ? silu : undefined
}
