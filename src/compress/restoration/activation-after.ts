/** The activation after a convolution, as far as a fit can look through it. */

import { type Graph, indexOf, type Node } from '../../onnx/graph.js'
import type { ActivationName } from './step-graph.js'

/** SiLU (x * sigmoid(x)) or ReLU where the output of `node` goes only there; `identity` for anything else. */
export function activationAfter(graph: Graph, node: Node): ActivationName {
  const output = node.outputs[0]!
  const users = indexOf(graph).usersOf(output)
  if (users.length === 1 && users[0]!.opType === 'Relu') return 'relu'
  const sigmoid = users.find((user) => user.opType === 'Sigmoid')
  const product = users.find((user) => user.opType === 'Mul')
  if (users.length !== 2 || sigmoid === undefined || product === undefined) return 'identity'
  return product.inputs.includes(sigmoid.outputs[0]!) && product.inputs.includes(output) ? 'silu' : 'identity'
}
