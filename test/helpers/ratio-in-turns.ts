/** Comparing the speed of two models on a machine that others use too. */

import type { Feeds } from '../../src/compress/ports.js'
import type { Graph } from '../../src/onnx/graph.js'
import { shapesOf } from '../../src/onnx/shapes/infer-shapes.js'
import { elementCount, type Tensor } from '../../src/onnx/tensor.js'
import type { SessionOptions } from '../../src/runtime/session-options.js'
import { graphRunner } from './graph-runner.js'

/** Runs both models in turns and takes the fastest run of each, in milliseconds. */
export async function ratioInTurns(
  left: Graph,
  right: Graph,
  { rounds, ...options }: SessionOptions & { readonly rounds: number },
): Promise<readonly [left: number, right: number]> {
  const runner = graphRunner({ warmUpRuns: 2, allowSpinning: true, niceness: 0, ...options })
  const [first, second] = [await runner.open(left), await runner.open(right)]
  const [feeds, others] = [greyOf(left), greyOf(right)]
  const best: [number, number] = [Infinity, Infinity]
  try {
    for (let round = 0; round < rounds; round++) {
      let start = performance.now()
      await first.run(feeds)
      best[0] = Math.min(best[0], performance.now() - start)
      start = performance.now()
      await second.run(others)
      best[1] = Math.min(best[1], performance.now() - start)
    }
  } finally {
    await first.close()
    await second.close()
  }
  return best
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
