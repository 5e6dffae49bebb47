import t from 'tap'

import { seededRandom } from '../../../src/base/random.js'
import type { Feeds } from '../../../src/compress/ports.js'
import type { GradientSource } from '../../../src/compress/pruning/measurements.js'
import { prune } from '../../../src/compress/pruning/prune.js'
import type { Graph } from '../../../src/onnx/graph.js'
import { applyPatch } from '../../../src/onnx/patch.js'
import { floatTensor } from '../../../src/onnx/tensor.js'
import { runOnce } from './run-once.js'
import { GraphBuilder, randomImage } from './small-graphs.js'

/** The loss of this test: the sum of squares of the outputs. */
async function lossOf(graph: Graph, feeds: Feeds): Promise<number> {
  let loss = 0
  for (const { data } of (await runOnce(graph, feeds)).values())
    for (let at = 0; at < data.length; at++) loss += Number(data[at]) ** 2
  return loss
}

/** Gradients by central differences: two runs for each weight. */
function finiteDifferences(feeds: Feeds, step: number): GradientSource {
  return {
    async visitGradients(graph, weights, visit) {
      const gradients = new Map<string, Float32Array>()
      for (const name of weights) {
        const tensor = graph.initializers.get(name)!
        const gradient = new Float32Array(tensor.data.length)
        for (let at = 0; at < gradient.length; at++) {
          const moved = (by: number): Graph => {
            const data = Float32Array.from(tensor.data as Float32Array)
            data[at]! += by
            return applyPatch(graph, { initializers: [[name, floatTensor(tensor.dims, data)]] })
          }
          gradient[at] =
            ((await lossOf(moved(step), feeds)) - (await lossOf(moved(-step), feeds))) / (2 * step)
        }
        gradients.set(name, gradient)
      }
      visit(gradients)
    },
  }
}

t.setTimeout(900_000)

t.test(
  'the gradient criterion finds the channel whose loss matters least, not the smallest one',
  async (t) => {
    const build = new GraphBuilder(seededRandom(5))
    const inner = build.block('images', 3, 4)
    const graph = build.finish([build.conv(inner, 4, 2)], 3, 4)
    const [first, second] = [
      graph.initializers.get('w0')!,
      graph.initializers.get(graph.nodes.at(-1)!.inputs[1]!)!,
    ]
    // Channel 2 has large weights, but its readers hardly look at it; channel 0 has the smallest weights.
    for (let column = 0; column < 3; column++) {
      first.data[2 * 3 + column] = 2
      first.data[column] = 0.1
    }
    for (let output = 0; output < 2; output++) second.data[output * 4 + 2] = 1e-3
    const feeds = randomImage(seededRandom(6), 4)
    const plan = {
      macs: 0.85,
      schedule: 'uniform',
      restore: 'none',
      round_to: 1,
      minimum_channels: 1,
    } as const
    const cut = async (criterion: 'gradient' | 'l1', aggregation: 'mean' | 'product'): Promise<number> => {
      const ports = { gradients: finiteDifferences(feeds, 1e-2) }
      const { graph: pruned } = await prune(
        graph,
        { ...plan, criterion, weights: 'filters', aggregation },
        ports,
      )
      return Math.abs((await lossOf(pruned, feeds)) / (await lossOf(graph, feeds)) - 1)
    }
    t.ok((await cut('gradient', 'mean')) < 0.05)
    t.ok((await cut('gradient', 'mean')) < (await cut('l1', 'mean')))
  },
)

t.test('gradients of another size are refused', async (t) => {
  const build = new GraphBuilder(seededRandom(7))
  const graph = build.finish([build.conv(build.block('images', 3, 4), 4, 2)], 3, 4)
  const gradients: GradientSource = {
    visitGradients: (_graph, weights, visit) => {
      visit(new Map(weights.map((name) => [name, new Float32Array(2)])))
      return Promise.resolve()
    },
  }
  const plan = {
    macs: 0.9,
    criterion: 'gradient',
    schedule: 'uniform',
    round_to: 1,
    minimum_channels: 1,
    restore: 'none',
  } as const
  await t.rejects(prune(graph, plan, { gradients }), {
    code: 'compress.plan_invalid',
    message: 'the gradient criterion has 2 gradients for w0, expected 12',
  })
})

t.test('weights of a filter cancel each other inside a sample, not between samples', async (t) => {
  const build = new GraphBuilder(seededRandom(8))
  const graph = build.finish([build.conv(build.block('images', 3, 4), 4, 2)], 3, 4)
  const weight = graph.initializers.get('w0')!
  weight.data.fill(1 as never)
  // By filter: opposite in a sample; opposite between samples; small; large.
  const samples = [
    [3, -3, 0, 3, 0, 0, 0.1, 0, 0, 4, 0, 0],
    [-3, 3, 0, -3, 0, 0, 0.1, 0, 0, 4, 0, 0],
  ]
  const gradients: GradientSource = {
    visitGradients: (_graph, names, visit) => {
      for (const sample of samples)
        visit(
          new Map(
            names.map((name) => {
              const { length } = graph.initializers.get(name)!.data
              return [name, name === 'w0' ? Float32Array.from(sample) : new Float32Array(length)]
            }),
          ),
        )
      return Promise.resolve()
    },
  }
  const plan = { schedule: 'uniform', restore: 'none', round_to: 1, minimum_channels: 1 } as const
  const kept = async (macs: number): Promise<readonly number[]> => {
    const { graph: pruned } = await prune(graph, { ...plan, macs, criterion: 'gradient' }, { gradients })
    const biases = [...(graph.initializers.get('w0_bias')!.data as Float32Array)]
    return [...(pruned.initializers.get('w0_bias')!.data as Float32Array)].map((bias) => biases.indexOf(bias))
  }
  t.same(await kept(0.75), [1, 2, 3])
  t.same(await kept(0.5), [1, 3])
})
