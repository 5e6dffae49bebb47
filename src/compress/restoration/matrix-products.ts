/**
 * Large matrix products, done by the inference runtime: A^T B and A B^T for float32 matrices of any size.
 * Invariant: two small graphs are opened once and closed by `close`.
 */

import { present } from '../../base/assert.js'
import { type Graph, makeNode } from '../../onnx/graph.js'
import { floatTensor } from '../../onnx/tensor.js'
import type { GraphRunner, OpenGraph } from '../ports.js'

/** A row-major float32 matrix. */
export interface Matrix {
  readonly rows: number
  readonly columns: number
  readonly data: Float32Array
}

export class MatrixProducts {
  readonly #inner: OpenGraph
  readonly #outer: OpenGraph

  private constructor(inner: OpenGraph, outer: OpenGraph) {
    this.#inner = inner
    this.#outer = outer
  }

  static async open(runner: GraphRunner): Promise<MatrixProducts> {
    return new MatrixProducts(
      await runner.open(productGraph('transA')),
      await runner.open(productGraph('transB')),
    )
  }

  /** A^T B: [a.columns, b.columns]; sums over the rows, which both have in equal number. */
  transposedLeft(a: Matrix, b: Matrix): Promise<Matrix> {
    return product(this.#inner, a, b)
  }

  /** A B^T: [a.rows, b.rows]. */
  transposedRight(a: Matrix, b: Matrix): Promise<Matrix> {
    return product(this.#outer, a, b)
  }

  async close(): Promise<void> {
    await this.#inner.close()
    await this.#outer.close()
  }
}

async function product(graph: OpenGraph, a: Matrix, b: Matrix): Promise<Matrix> {
  const feeds = new Map([
    ['a', floatTensor([a.rows, a.columns], a.data)],
    ['b', floatTensor([b.rows, b.columns], b.data)],
  ])
  const result = present((await graph.run(feeds)).get('product'), 'the product graph has one output')
  return { rows: result.dims[0]!, columns: result.dims[1]!, data: result.data as Float32Array }
}

function productGraph(transposed: 'transA' | 'transB'): Graph {
  const matrix = (name: string) => ({
    name,
    type: 'float32' as const,
    shape: [`${name}_rows`, `${name}_columns`],
  })
  return {
    name: 'product',
    irVersion: 8,
    opsets: new Map([['', 13]]),
    inputs: [matrix('a'), matrix('b')],
    outputs: [matrix('product')],
    nodes: [
      makeNode('Gemm', 'product', ['a', 'b'], ['product'], {
        attributes: { [transposed]: { kind: 'int', value: 1 } },
      }),
    ],
    initializers: new Map(),
    metadata: new Map(),
    carried: undefined,
  }
}

/** Sums of A^T A or A^T B over batches of rows, kept in float64. */
export class ProductSum {
  readonly rows: number
  readonly columns: number
  readonly data: Float64Array

  constructor(rows: number, columns: number) {
    this.rows = rows
    this.columns = columns
    this.data = new Float64Array(rows * columns)
  }

  add(part: Matrix): void {
    for (let at = 0; at < this.data.length; at++) this.data[at]! += part.data[at]!
  }
}
