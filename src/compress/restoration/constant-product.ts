/** Products with one constant square matrix, done by the inference runtime. Invariant: `close` frees the matrix. */

import { present } from '../../base/assert.js'
import { makeNode } from '../../onnx/graph.js'
import { floatTensor } from '../../onnx/tensor.js'
import type { GraphRunner, OpenGraph } from '../ports.js'
import type { Matrix } from './matrix-products.js'

/** rows -> rows M. */
export class ConstantProduct {
  readonly #open: OpenGraph
  readonly #size: number

  private constructor(open: OpenGraph, size: number) {
    this.#open = open
    this.#size = size
  }

  /** @param matrix [size, size], row-major; copied */
  static async open(
    runner: GraphRunner,
    matrix: { readonly rows: number; readonly data: Float64Array },
  ): Promise<ConstantProduct> {
    const size = matrix.rows
    const info = (name: string) => ({ name, type: 'float32' as const, shape: ['count', size] })
    const open = await runner.open({
      name: 'constant_product',
      irVersion: 8,
      opsets: new Map([['', 13]]),
      inputs: [info('rows')],
      outputs: [info('product')],
      nodes: [makeNode('MatMul', 'multiply', ['rows', 'matrix'], ['product'])],
      initializers: new Map([['matrix', floatTensor([size, size], Float32Array.from(matrix.data))]]),
      metadata: new Map(),
      carried: undefined,
    })
    return new ConstantProduct(open, size)
  }

  /** @param rows [count, size] */
  async times(rows: Matrix): Promise<Float32Array> {
    const made = await this.#open.run(new Map([['rows', floatTensor([rows.rows, this.#size], rows.data)]]))
    return present(made.get('product'), 'the graph has one output').data as Float32Array
  }

  close(): Promise<void> {
    return this.#open.close()
  }
}
