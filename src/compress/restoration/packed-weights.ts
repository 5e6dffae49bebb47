/** Weights and bias of a convolution as one matrix: a row an output, the bias last. */

import { present } from '../../base/assert.js'
import type { Node, ValueName } from '../../onnx/graph.js'
import { elementCount, floatTensor, type FloatTensor, type Tensor } from '../../onnx/tensor.js'
import type { Matrix } from './matrix-products.js'

/** Weight rows with the bias as last element: [outputs, unknowns]. */
export function packRows(node: Node, weights: ReadonlyMap<ValueName, Tensor>): Matrix {
  const weight = weights.get(node.inputs[1]!) as FloatTensor
  const bias = weights.get(node.inputs[2]!) as FloatTensor
  const rows = weight.dims[0]!
  const inner = elementCount(weight.dims.slice(1))
  const data = new Float32Array(rows * (inner + 1))
  for (let row = 0; row < rows; row++) {
    data.set(weight.data.subarray(row * inner, (row + 1) * inner), row * (inner + 1))
    data[row * (inner + 1) + inner] = bias.data[row]!
  }
  return { rows, columns: inner + 1, data }
}

/** The two constants of `node` with the values of `packed`. */
export function unpackRows(
  node: Node,
  weights: ReadonlyMap<ValueName, Tensor>,
  packed: Float32Array,
): readonly (readonly [ValueName, Tensor])[] {
  const [weightName, biasName] = [node.inputs[1]!, node.inputs[2]!]
  const dims = present(weights.get(weightName), weightName).dims
  const rows = dims[0]!
  const inner = elementCount(dims.slice(1))
  const weight = new Float32Array(rows * inner)
  const bias = new Float32Array(rows)
  for (let row = 0; row < rows; row++) {
    weight.set(packed.subarray(row * (inner + 1), row * (inner + 1) + inner), row * inner)
    bias[row] = packed[row * (inner + 1) + inner]!
  }
  return [
    [weightName, floatTensor(dims, weight)],
    [biasName, floatTensor([rows], bias)],
  ]
}
