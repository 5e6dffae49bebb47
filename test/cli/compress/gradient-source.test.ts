import t from 'tap'
import { gradientSource } from '../../../src/cli/compress/gradient-source.js'
import { graphRunner } from '../../../src/cli/compress/graph-runner.js'
import { pruneStep } from '../../../src/cli/compress/prune-step.js'
import type { Gradients } from '../../../src/compress/pruning/measurements.js'
import { parsePrunePlan } from '../../../src/compress/pruning/prune-plan.js'
import { toEdgeForm } from '../../../src/compress/edge-form.js'
import { buildNetwork } from '../../../src/yolo/build-network.js'
import { noiseImages } from '../../compress/pruning/small-graphs.js'

t.setTimeout(180_000)

const graph = toEdgeForm(
  buildNetwork({
    scale: { depth: 0.33, width: 0.0625, channelsMax: 256 },
    classNames: ['a', 'b'],
    inputWidth: 64,
    inputHeight: 64,
    seed: 3,
  }),
)
const weights = graph.nodes.filter((node) => node.opType === 'Conv').map((node) => node.inputs[1]!)

t.test('gradients need no labels and have the size of the weights', async (t) => {
  const told: number[] = []
  const seen = await gradientsOf((done) => told.push(done))
  t.same(told, [1, 2, 3])
  t.equal(seen.length, 3)
  for (const gradients of seen) {
    for (const name of weights)
      t.equal(gradients.get(name)!.length, graph.initializers.get(name)!.data.length, name)
    t.ok([...gradients.values()].some((values) => values.some((value) => value !== 0)))
  }
  t.notSame(seen[0]!.get(weights[5]!), seen[1]!.get(weights[5]!))
  t.same((await gradientsOf(() => undefined))[2]!.get(weights[5]!), seen[2]!.get(weights[5]!))
})

/** Of each of three pictures. */
async function gradientsOf(onProgress: (done: number) => void): Promise<readonly Gradients[]> {
  const seen: Gradients[] = []
  await gradientSource(graphRunner(), noiseImages(3), onProgress).visitGradients(
    graph,
    weights,
    (gradients) => {
      seen.push(new Map([...gradients].map(([name, values]) => [name, values.slice()])))
    },
  )
  return seen
}

t.test('the step --prune takes them for the criterion gradient', async (t) => {
  const plan = parsePrunePlan({
    macs: 0.9,
    criterion: 'gradient',
    schedule: 'global',
    restore: 'none',
    round_to: 1,
    minimum_channels: 1,
  })
  const context = { runner: graphRunner(), images: noiseImages(2), seed: 1, onProgress: () => undefined }
  const { report } = await pruneStep(plan).run(graph, context)
  t.match(report, { plan: { criterion: 'gradient' } })
  t.ok((report as { macs_kept: number }).macs_kept <= 0.9)
  const none = { count: 0, read: () => Promise.reject(new TypeError('no pictures')) }
  await t.rejects(pruneStep(plan).run(graph, { ...context, images: none }), {
    code: 'compress.plan_invalid',
    message: /needs a source of gradients/,
  })
})
