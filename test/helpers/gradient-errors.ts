/**
 * Gradients of whole networks against central differences in double precision, for weights chosen at random.
 * Invariant: the reference knows nothing of ONNX Runtime or of the gradient rules.
 */

import { seededRandom } from '../../src/base/random.js'
import { graphRunner } from '../../src/cli/compress/graph-runner.js'
import type { Graph } from '../../src/onnx/graph.js'
import { elementCount } from '../../src/onnx/tensor.js'
import { learnedArrays, NetworkSession, trainableNames } from '../../src/training/network-session.js'
import { changeableDouble, type DoubleTensor } from './double-graph.js'

/** Relative errors of the gradients of `count` weights of `graph` (raw heads, fixed batch), rising. */
export async function gradientErrors(graph: Graph, count: number): Promise<readonly number[]> {
  const input = graph.inputs[0]!
  const inputDims = input.shape as readonly number[]
  const random = seededRandom(21)
  const images = Float32Array.from({ length: elementCount(inputDims) }, () => random.next())
  const seeds = new Map(
    graph.outputs.map(({ name, shape }) => [
      name,
      Float32Array.from({ length: elementCount(shape as number[]) }, () => random.normal()),
    ]),
  )
  const names = trainableNames(graph)
  const { weights, gradients } = learnedArrays(graph, names)
  const session = await NetworkSession.open(graph, { weights, gradients }, graphRunner({ intraOpThreads: 1 }))
  await session.forward(images)
  await session.backward(seeds)
  await session.close()

  const feeds = new Map<string, DoubleTensor>([
    [input.name, { dims: inputDims, data: Float64Array.from(images) }],
  ])
  const outputsWith = changeableDouble(graph, feeds)
  const lossWith = (name: string, at: number, change: number): number => {
    const { dims, data } = weights.get(name)!
    const moved = Float64Array.from(data)
    moved[at]! += change
    let sum = 0
    for (const [output, { data: values }] of outputsWith(new Map([[name, { dims, data: moved }]])))
      values.forEach((value, index) => (sum += value * seeds.get(output)![index]!))
    return sum
  }
  const errors: number[] = []
  while (errors.length < count) {
    const name = names[random.integer(names.length)]!
    const gradient = gradients.get(name)!.data
    const at = random.integer(gradient.length)
    const step = 1e-5
    const expected = (lossWith(name, at, step) - lossWith(name, at, -step)) / (2 * step)
    const largest = gradient.reduce((most, each) => Math.max(most, Math.abs(each)), 0)
    // The difference itself is rounded to about 1e-9: gradients below that are not told apart from zero.
    errors.push(Math.abs(gradient[at]! - expected) / Math.max(Math.abs(expected), 1e-2 * largest, 1e-6))
  }
  return errors.sort((a, b) => a - b)
}
