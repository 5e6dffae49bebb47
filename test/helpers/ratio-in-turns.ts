/** Comparing the speed of two models on a machine that others use too. */

import type { Feeds } from '../../src/compress/ports.js'
import type { Graph } from '../../src/onnx/graph.js'
import { shapesOf } from '../../src/onnx/shapes/infer-shapes.js'
import { elementCount, type Tensor } from '../../src/onnx/tensor.js'
import type { SessionOptions } from '../../src/runtime/session-options.js'
import { graphRunner } from '../../src/cli/compress/graph-runner.js'

/** Fastest runs in milliseconds, and how much faster the right one is: the median over pairs of neighbouring runs. */
export interface SpeedComparison {
  readonly leftMs: number
  readonly rightMs: number
  readonly speedUp: number
}

/** Runs both models in turns. */
export async function ratioInTurns(
  left: Graph,
  right: Graph,
  { rounds, ...options }: SessionOptions & { readonly rounds: number },
): Promise<SpeedComparison> {
  const runner = graphRunner({ warmUpRuns: 2, allowSpinning: true, niceness: 0, ...options })
  const [first, second] = [await runner.open(left), await runner.open(right)]
  const [feeds, others] = [greyOf(left), greyOf(right)]
  const pairs: (readonly [left: number, right: number])[] = []
  try {
    for (let round = 0; round < rounds; round++) {
      const start = performance.now()
      await first.run(feeds)
      const middle = performance.now()
      await second.run(others)
      pairs.push([middle - start, performance.now() - middle])
    }
  } finally {
    await first.close()
    await second.close()
  }
  const ratios = pairs.map(([before, after]) => before / after).sort((a, b) => a - b)
  return {
    leftMs: Math.min(...pairs.map(([before]) => before)),
    rightMs: Math.min(...pairs.map(([, after]) => after)),
    speedUp: ratios[ratios.length >> 1] ?? Number.NaN,
  }
}

/** A grey picture for the one input of `graph`. */
function greyOf(graph: Graph): Feeds {
  const [input] = graph.inputs
  if (input === undefined) throw new TypeError('the graph has no input')
  const dims = shapesOf(graph).staticShapeOf(input.name)
  if (dims === undefined) throw new TypeError(`the input ${input.name} has no fixed size`)
  const size = elementCount(dims)
  const tensor: Tensor =
    input.type === 'uint8'
      ? { type: 'uint8', dims, data: new Uint8Array(size).fill(114) }
      : { type: 'float32', dims, data: new Float32Array(size).fill(114 / 255) }
  return new Map([[input.name, tensor]])
}
