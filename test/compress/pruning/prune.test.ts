import t from 'tap'

import { seededRandom } from '../../../src/base/random.js'
import { findChannelGroups } from '../../../src/compress/pruning/channel-groups.js'
import { noMeasurements, type PrunePorts } from '../../../src/compress/pruning/measurements.js'
import { prune } from '../../../src/compress/pruning/prune.js'
import type { CalibrationImages } from '../../../src/compress/ports.js'
import { parsePrunePlan, type PrunePlanInput, roundsOf } from '../../../src/compress/pruning/prune-plan.js'
import { samplesOf } from '../../../src/compress/calibration-samples.js'
import { checkGraph } from '../../../src/onnx/check-graph.js'
import { costOf } from '../../../src/onnx/cost.js'
import type { Graph } from '../../../src/onnx/graph.js'
import { graphRunner } from '../../../src/cli/compress/graph-runner.js'
import { GraphBuilder, noiseImages, smallDetector } from './small-graphs.js'

const runner = graphRunner({ intraOpThreads: 1 })
const ports: PrunePorts = { runner, images: noiseImages(12) }
const small = { round_to: 2, minimum_channels: 2 } as const

/** Relative squared error of the outputs on pictures that no fit has seen. */
async function errorOf(graph: Graph, pruned: Graph): Promise<number> {
  const samples = samplesOf(graph, noiseImages(40))
  const [left, right] = [await runner.open(graph), await runner.open(pruned)]
  let [error, spread] = [0, 0]
  try {
    for (let sample = 30; sample < 40; sample++) {
      const feeds = await samples.read(sample)
      const [wanted, got] = [await left.run(feeds), await right.run(feeds)]
      for (const [name, tensor] of wanted) {
        const mean =
          Array.from(tensor.data, Number).reduce((sum, value) => sum + value, 0) / tensor.data.length
        for (let at = 0; at < tensor.data.length; at++) {
          error += (Number(tensor.data[at]) - Number(got.get(name)!.data[at])) ** 2
          spread += (Number(tensor.data[at]) - mean) ** 2
        }
      }
    }
  } finally {
    await left.close()
    await right.close()
  }
  return error / spread
}

t.setTimeout(900_000)

t.test('every criterion meets the budget with a valid graph of the same outputs', async (t) => {
  const graph = smallDetector(seededRandom(21))
  const plans: PrunePlanInput[] = [
    { macs: 0.7, criterion: 'l1', schedule: 'global' },
    { macs: 0.7, criterion: 'l2', schedule: 'uniform' },
    { macs: 0.7, criterion: 'activation', schedule: 'global', pooling: 'absolute' },
    { macs: 0.7, criterion: 'activation', schedule: 'global', pooling: 'max' },
    { macs: 0.7, criterion: 'activation', schedule: 'global', pooling: 'average' },
    { macs: 0.7, criterion: 'reconstruction', schedule: 'sensitivity' },
    { macs: 0.7, criterion: 'random', schedule: 'uniform' },
  ]
  for (const plan of plans) {
    const { graph: pruned, report } = await prune(graph, { ...small, restore: 'none', ...plan }, ports)
    const name = `${plan.criterion!} ${plan.schedule!}`
    t.ok(report.after.macs <= 0.7 * report.before.macs, `${name}: ${report.after.macs / report.before.macs}`)
    t.equal(report.after.macs, convolutionMacs(pruned), 'the reported cost is that of the graph')
    t.equal(report.before.macs, convolutionMacs(graph))
    t.same(checkGraph(pruned), [])
    t.same(pruned.outputs, graph.outputs)
    t.ok(Number.isFinite(await errorOf(graph, pruned)))
  }
})

function convolutionMacs(graph: Graph): number {
  const nodes = costOf(graph).nodes.filter(({ node }) => node.opType === 'Conv')
  return nodes.reduce((sum, { macs }) => sum + (macs ?? 0), 0)
}

t.test(
  'restoration brings the outputs closer: least squares more than biases, biases more than nothing',
  async (t) => {
    const errors = { none: 0, bias: 0, mean: 0, lsq: 0 }
    for (const seed of [31]) {
      const graph = smallDetector(seededRandom(seed))
      for (const restore of ['none', 'mean', 'bias', 'lsq'] as const) {
        const plan = { ...small, macs: 0.6, criterion: 'l1', schedule: 'uniform', restore } as const
        const { graph: pruned, report } = await prune(graph, plan, ports)
        errors[restore] += await errorOf(graph, pruned)
        if (restore !== 'lsq') continue
        t.ok(report.restored.length > 4)
        for (const layer of report.restored) t.ok(layer.errorAfter <= layer.errorBefore * 1.001, layer.name)
      }
    }
    t.ok(errors.bias < errors.none, JSON.stringify(errors))
    t.ok(errors.mean < errors.none, JSON.stringify(errors))
    t.ok(errors.lsq < 0.6 * errors.bias, JSON.stringify(errors))
  },
)

t.test('the same plan gives the same model', async (t) => {
  const graph = smallDetector(seededRandom(41))
  const plan = { ...small, macs: 0.8, criterion: 'reconstruction', schedule: 'global', steps: 4 } as const
  const [first, second] = [await prune(graph, plan, ports), await prune(graph, plan, ports)]
  t.same(first.report.layers, second.report.layers)
  for (const [name, tensor] of first.graph.initializers)
    t.same(second.graph.initializers.get(name)?.data, tensor.data)
})

t.test(
  'measurements are used again by the criterion that they were taken for, and by no other',
  async (t) => {
    const graph = smallDetector(seededRandom(42))
    const plan = { ...small, macs: 0.7, schedule: 'sensitivity', restore: 'none' } as const
    const measured = noMeasurements()
    const layersBy = async (criterion: 'l2' | 'random', known = noMeasurements()): Promise<unknown> =>
      (await prune(graph, { ...plan, criterion }, { runner, images: noiseImages(3), measured: known })).report
        .layers
    const alone = await layersBy('random')
    await layersBy('l2', measured)
    t.equal(measured.sensitivity.size, 1)
    t.same(await layersBy('random', measured), alone)
    t.equal(measured.sensitivity.size, 2, 'both were probed')
    const [l2Probes] = measured.sensitivity.values()
    await layersBy('l2', measured)
    t.equal([...measured.sensitivity.values()][0], l2Probes, 'once')
  },
)

t.test('layers are probed on pictures that nothing was fitted to', async (t) => {
  const pictures = noiseImages(12)
  let stage = ''
  const read = new Map<string, Set<number>>()
  const images: CalibrationImages = {
    count: pictures.count,
    read: (index, size) => {
      const use = stage === 'sensitivity' ? 'probed' : 'fitted'
      read.set(use, (read.get(use) ?? new Set()).add(index))
      return pictures.read(index, size)
    },
  }
  const onProgress = (name: string): void => {
    stage = name
  }
  const plan = { ...small, macs: 0.7, schedule: 'sensitivity', restore: 'none' } as const
  await prune(smallDetector(seededRandom(43)), plan, { runner, images, onProgress })
  const [probed, fitted] = [read.get('probed')!, read.get('fitted')!]
  t.equal(probed.size, 2)
  t.equal(fitted.size, 10)
  t.notOk([...probed].some((index) => fitted.has(index)))
})

t.test('a channel that nobody misses goes first, whoever looks', async (t) => {
  const random = seededRandom(51)
  const build = new GraphBuilder(random)
  const inner = build.block('images', 3, 8, { kernel: 3 })
  const graph = build.finish([build.conv(inner, 8, 4)], 3, 16)
  const weight = graph.initializers.get('w0')!
  const reading = graph.initializers.get(graph.nodes.at(-1)!.inputs[1]!)!
  // Channel 5 is as good as silent, and hardly read.
  weight.data.fill(1e-4 as never, 5 * 27, 6 * 27)
  graph.initializers.get('w0_bias')!.data[5] = 0
  for (let output = 0; output < 4; output++) reading.data[8 * output + 5] = 1e-4
  for (const looks of [
    { criterion: 'l1', weights: 'filters' },
    { criterion: 'l1', weights: 'readers' },
    { criterion: 'l2', weights: 'filters' },
    { criterion: 'l2', weights: 'readers' },
    { criterion: 'activation', pooling: 'absolute' },
    { criterion: 'activation', pooling: 'deviation' },
    { criterion: 'reconstruction' },
  ] as const) {
    const criterion = Object.values(looks).join(' ')
    const plan = {
      macs: 0.9,
      ...looks,
      schedule: 'uniform',
      round_to: 1,
      minimum_channels: 1,
      restore: 'none',
    } as const
    const { graph: pruned, report } = await prune(graph, plan, ports)
    t.same(report.layers, [{ name: graph.nodes[0]!.name, channels: 8, kept: 7 }], criterion)
    t.ok((await errorOf(graph, pruned)) < 1e-4, criterion)
  }
})

t.test(
  'in rounds, each takes its part of the channels and is fitted to the answers of the start',
  async (t) => {
    const graph = smallDetector(seededRandom(55))
    const plan = { ...small, macs: 0.4, criterion: 'l1', schedule: 'sensitivity', rounds: 2 } as const
    const sizes = new Map(findChannelGroups(graph).layers.map((layer) => [layer.name, layer.groups.length]))
    const few = { runner, images: noiseImages(6) }
    const told: string[] = []
    const onProgress = (stage: string): void => {
      if (told.at(-1) !== stage) told.push(stage)
    }
    const { graph: pruned, report } = await prune(graph, plan, { ...few, onProgress })
    for (const round of [1, 2])
      for (const stage of ['scoring by l1', 'sensitivity', 'restore'])
        t.ok(told.includes(`round ${round} of 2: ${stage}`), `${stage}, round ${round}`)
    t.equal(report.plan.rounds, 2)
    t.same(checkGraph(pruned), [])
    t.ok(report.after.macs <= 0.4 * report.before.macs)
    t.equal(report.after.macs, convolutionMacs(pruned))
    t.equal(report.before.macs, convolutionMacs(graph))
    for (const { name, channels, kept } of report.layers) {
      t.ok(kept >= 0.2 * channels, `${name} keeps ${kept} of ${channels}`)
      t.equal(channels, sizes.get(name), 'channels are those of the start')
    }
    t.equal(new Set(report.restored.map(({ name }) => name)).size, report.restored.length)
    const bare = await prune(graph, { ...plan, restore: 'none' }, few)
    const [fitted, unfitted] = [await errorOf(graph, pruned), await errorOf(graph, bare.graph)]
    t.ok(fitted < 0.5 * unfitted, `${fitted}, unfitted ${unfitted}`)
  },
)

t.test('a residual block can be taken out whole, and the rest is fitted to it', async (t) => {
  const build = new GraphBuilder(seededRandom(61))
  const stem = build.block('images', 3, 8, { kernel: 3 })
  const branch = build.block(build.block(stem, 8, 8, { kernel: 3 }), 8, 8, { kernel: 3 })
  const sum = build.add('Add', [stem, branch])[0]!
  const graph = build.finish([build.conv(build.block(sum, 8, 8), 8, 4)], 3, 16)
  const name = graph.nodes.find((node) => node.opType === 'Add')!.name
  const plan = {
    macs: 1,
    criterion: 'l1',
    schedule: 'global',
    remove_blocks: [name],
  } satisfies PrunePlanInput
  const bare = await prune(graph, { ...plan, restore: 'none' }, ports)
  const fitted = await prune(graph, { ...plan, restore: 'lsq' }, ports)
  t.equal(bare.graph.nodes.filter((node) => node.opType === 'Conv').length, 3)
  t.ok(bare.report.after.macs < bare.report.before.macs)
  t.ok((await errorOf(graph, fitted.graph)) < (await errorOf(graph, bare.graph)))
  await t.rejects(prune(graph, { ...plan, remove_blocks: ['nothing'] }, ports), {
    code: 'compress.plan_invalid',
    message: `removing the block nothing is not possible: the residual blocks of this graph are ${name}`,
  })
})

t.test('a plan that asks for what was not given is refused in one sentence', async (t) => {
  const graph = smallDetector(seededRandom(71))
  const refusals: [PrunePlanInput, RegExp][] = [
    [{ macs: 0.8, criterion: 'activation', schedule: 'global' }, /criterion activation.*needs a runtime/],
    [{ macs: 0.8, criterion: 'gradient', schedule: 'global' }, /needs a source of gradients/],
    [{ macs: 0.8, criterion: 'l1', schedule: 'sensitivity' }, /schedule sensitivity.*needs a runtime/],
    [{ macs: 0.8, criterion: 'l1', schedule: 'global', restore: 'lsq' }, /restore lsq needs a runtime/],
  ]
  for (const [plan, message] of refusals)
    await t.rejects(prune(graph, { ...small, ...plan }, {}), { code: 'compress.plan_invalid', message })
  await t.rejects(
    prune(
      graph,
      { ...small, macs: 0.8, criterion: 'l1', schedule: 'global' },
      { runner, images: noiseImages(0) },
    ),
    {
      code: 'dataset.folder_unusable',
    },
  )
  const wrong: [unknown, RegExp][] = [
    [{ macs: 1.5 }, /macs 1\.5, expected <=1/],
    [{ macs: 0.5, criterion: 'luck' }, /criterion "luck"/],
    [{}, /macs undefined/],
    [{ macs: 0.5, speed: 2 }, /speed/],
    [{ macs: 0.5, rounds: 0 }, /rounds 0, expected >=1/],
  ]
  for (const [plan, message] of wrong)
    await t.rejects(prune(graph, plan as PrunePlanInput, ports), { code: 'compress.plan_invalid', message })
})

t.test('with least squares, no round takes more than three tenths', (t) => {
  const roundsFor = (macs: number, more: Partial<PrunePlanInput> = {}): number =>
    roundsOf(parsePrunePlan({ macs, ...more }))
  t.same(
    [1, 0.9, 0.7, 0.69, 0.5, 0.4, 0.39, 0.1].map((macs) => roundsFor(macs)),
    [1, 1, 1, 2, 2, 2, 3, 3],
  )
  t.equal(roundsFor(0.5, { restore: 'bias' }), 1, 'nothing new would be seen')
  t.equal(roundsFor(0.9, { rounds: 5 }), 5)
  t.end()
})

t.test('a graph whose channels all reach an output has nothing to give', async (t) => {
  const build = new GraphBuilder(seededRandom(81))
  const graph = build.finish([build.conv('images', 3, 8)], 3, 8)
  t.equal(findChannelGroups(graph).count, 0)
  await t.rejects(
    prune(graph, { ...small, macs: 0.8, criterion: 'l1', schedule: 'global', restore: 'none' }, {}),
    {
      code: 'compress.budget_unreachable',
    },
  )
})
