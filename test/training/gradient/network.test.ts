import t from 'tap'
import { seededRandom } from '../../../src/base/random.js'
import type { Graph } from '../../../src/onnx/graph.js'
import { elementCount } from '../../../src/onnx/tensor.js'
import { learnedArrays, NetworkSession, trainableNames } from '../../../src/training/network-session.js'
import { buildNetwork } from '../../../src/yolo/build-network.js'
import { type DoubleTensor, runDouble } from '../../helpers/double-graph.js'
import { graphRunner } from '../../../src/cli/compress/graph-runner.js'

const side = 32
const batch = 2
const checked = 20

function network(batchNorm: boolean): Graph {
  return buildNetwork({
    scale: { depth: 0.33, width: 0.03125, channelsMax: 256 },
    classNames: ['a', 'b'],
    inputWidth: side,
    inputHeight: side,
    batch,
    batchNorm,
    output: 'heads',
    seed: 3,
  })
}

t.setTimeout(600_000)

for (const batchNorm of [true, false]) {
  const kind = batchNorm ? 'with batch norm' : 'folded'
  t.test(`the gradients of a whole network, ${kind}, are those of double precision`, async (t) => {
    const graph = network(batchNorm)
    const random = seededRandom(21)
    const images = Float32Array.from({ length: batch * 3 * side * side }, () => random.next())
    const seeds = new Map(
      graph.outputs.map(({ name, shape }) => [
        name,
        Float32Array.from({ length: elementCount(shape as number[]) }, () => random.normal()),
      ]),
    )
    const names = trainableNames(graph)
    const { weights, gradients } = learnedArrays(graph, names)
    const session = await NetworkSession.open(
      graph,
      { weights, gradients },
      graphRunner({ intraOpThreads: 1 }),
    )
    await session.forward(images)
    await session.backward(seeds)
    await session.close()

    const feeds = new Map<string, DoubleTensor>([
      ['images', { dims: [batch, 3, side, side], data: Float64Array.from(images) }],
    ])
    const lossWith = (name: string, at: number, change: number): number => {
      const { dims, data } = weights.get(name)!
      const moved = Float64Array.from(data)
      moved[at]! += change
      let sum = 0
      for (const [output, { data: values }] of runDouble(
        graph,
        new Map([...feeds, [name, { dims, data: moved }]]),
      ))
        values.forEach((value, index) => (sum += value * seeds.get(output)![index]!))
      return sum
    }
    const errors: number[] = []
    for (let count = 0; count < checked; count++) {
      const name = names[random.integer(names.length)]!
      const gradient = gradients.get(name)!.data
      const at = random.integer(gradient.length)
      const step = 1e-5
      const expected = (lossWith(name, at, step) - lossWith(name, at, -step)) / (2 * step)
      const largest = gradient.reduce((most, each) => Math.max(most, Math.abs(each)), 0)
      // The difference itself is rounded to about 1e-9: gradients below that are not told apart from zero.
      errors.push(Math.abs(gradient[at]! - expected) / Math.max(Math.abs(expected), 1e-2 * largest, 1e-6))
    }
    errors.sort((a, b) => a - b)
    const median = errors[checked / 2]!
    t.ok(median < 1e-3, `median ${median.toExponential(1)}, worst ${errors.at(-1)!.toExponential(1)}`)
    t.ok(errors[Math.floor(0.95 * checked)]! < 1e-2)
  })
}
