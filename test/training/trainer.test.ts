import t from 'tap'
import { decodeCheckpoint, encodeCheckpoint } from '../../src/training/checkpoint.js'
import { partNames } from '../../src/training/conveyor/part-shapes.js'
import { drawScene } from '../../src/training/conveyor/draw-scene.js'
import { planScene } from '../../src/training/conveyor/scene.js'
import { makeBatch } from '../../src/training/data/batch-maker.js'
import { deployNetwork } from '../../src/training/deploy-network.js'
import { detectionLoss } from '../../src/training/loss/detection-loss.js'
import type { HeadShape } from '../../src/training/loss/head-batch.js'
import { type StepReport, Trainer, type TrainerOptions } from '../../src/training/trainer.js'
import { requireValidGraph } from '../../src/onnx/check-graph.js'
import type { Graph } from '../../src/onnx/graph.js'
import { buildNetwork } from '../../src/yolo/build-network.js'
import { describeModel } from '../../src/yolo/model-description.js'
import { graphRunner } from '../../src/cli/compress/graph-runner.js'

const side = 128
const batch = 2
const network = {
  scale: { depth: 0.33, width: 0.0625, channelsMax: 256 },
  classNames: [...partNames],
  inputWidth: side,
  inputHeight: side,
}
const shape: HeadShape = {
  batch,
  classCount: partNames.length,
  inputWidth: side,
  inputHeight: side,
  levels: [8, 16, 32].map((stride, index) => ({
    stride,
    box: `p${index + 3}_box`,
    cls: `p${index + 3}_cls`,
  })),
}
const samples = [1, 2, 3, 4, 5, 6].map((seed) => drawScene(planScene(seed), side, side))
const batches = { batch, size: { width: side, height: side }, seed: 1, augmentation: { mosaic: 0.3 } }
const runner = graphRunner({ intraOpThreads: 1 })

function trainable(): Graph {
  return buildNetwork({ ...network, batch, batchNorm: true, output: 'heads' })
}

function options(changes: Partial<TrainerOptions> = {}): TrainerOptions {
  return {
    schedule: { steps: 12, rate: 2e-3, warmUpSteps: 2 },
    optimizer: { kind: 'adamw' },
    ...changes,
  }
}

async function take(trainer: Trainer, steps: number): Promise<StepReport[]> {
  const reports: StepReport[] = []
  for (let count = 0; count < steps; count++) {
    const made = makeBatch(samples, trainer.steps + 1, batches)
    reports.push(await trainer.step(made, ({ targets }, heads) => detectionLoss(shape, heads, targets)))
  }
  return reports
}

function weightsOf(graph: Graph): string {
  return [...graph.initializers]
    .filter(([, tensor]) => tensor.type === 'float32')
    .map(
      ([name, { data }]) =>
        `${name} ${Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')}`,
    )
    .join('\n')
}

t.test('on one batch the loss falls', async (t) => {
  const made = makeBatch(samples, 1, batches)
  const schedule = { steps: 12, rate: 4e-3, warmUpSteps: 2 }
  const trainer = await Trainer.open(trainable(), runner, options({ schedule }))
  const losses: number[] = []
  for (let step = 1; step <= 8; step++) {
    const { loss } = await trainer.step(made, ({ targets }, heads) => detectionLoss(shape, heads, targets))
    losses.push(loss.total)
  }
  await trainer.close()
  t.ok(losses.at(-1)! < 0.7 * losses[0]!, losses.map((loss) => loss.toFixed(1)).join(' '))
})

t.test('a run that goes on from a checkpoint ends with the same weights, bit by bit', async (t) => {
  const whole = await Trainer.open(trainable(), runner, options())
  await take(whole, 4)
  const expected = weightsOf(whole.network())
  await whole.close()

  const first = await Trainer.open(trainable(), runner, options())
  await take(first, 2)
  const bytes = encodeCheckpoint(first.checkpoint())
  await first.close()

  const second = await Trainer.open(trainable(), runner, options())
  second.restore(decodeCheckpoint(bytes))
  t.equal(second.steps, 2)
  await take(second, 2)
  t.equal(weightsOf(second.network()), expected)
  await second.close()
})

t.test('a damaged checkpoint and one of another network are refused', async (t) => {
  const trainer = await Trainer.open(trainable(), runner, options())
  const bytes = encodeCheckpoint(trainer.checkpoint())
  t.throws(() => decodeCheckpoint(bytes.subarray(0, bytes.length - 5)), {
    code: 'training.checkpoint_unusable',
  })
  const flipped = Uint8Array.from(bytes)
  flipped[bytes.length >> 1]! ^= 1
  t.throws(() => decodeCheckpoint(flipped), { code: 'training.checkpoint_unusable' })
  const { step, arrays } = decodeCheckpoint(bytes)
  t.throws(
    () => {
      trainer.restore({ step, arrays: arrays.slice(1) })
    },
    { code: 'training.checkpoint_unusable' },
  )
  await trainer.close()
})

t.test('a loss that is no number ends the run and leaves the weights as they were', async (t) => {
  const trainer = await Trainer.open(trainable(), runner, options())
  await take(trainer, 1)
  const before = weightsOf(trainer.network('latest'))
  const made = makeBatch(samples, 2, batches)
  made.images.fill(Number.NaN)
  await t.rejects(
    trainer.step(made, ({ targets }, heads) => detectionLoss(shape, heads, targets)),
    { code: 'training.loss_diverged', message: /step 2/ },
  )
  t.equal(trainer.steps, 1)
  t.equal(weightsOf(trainer.network('latest')), before)
  await trainer.close()
})

t.test('projections: masked weights stay zero, and the network sees rounded weights', async (t) => {
  const masked = 'model.2.cv1.conv.weight'
  const trainer = await Trainer.open(
    trainable(),
    runner,
    options({
      keep: (weights) => weights.get(masked)!.fill(0, 0, 8),
      see: (weights) => {
        for (const values of weights.values())
          values.forEach((value, at) => (values[at] = Math.round(value * 64) / 64))
      },
    }),
  )
  await take(trainer, 2)
  const graph = trainer.network()
  await trainer.close()
  const kernel = graph.initializers.get(masked)!.data as Float32Array
  t.ok(kernel.subarray(0, 8).every((value) => value === 0))
  t.ok(kernel.subarray(8).some((value) => value !== 0))
  t.ok(kernel.every((value) => Number.isInteger(value * 64)))
})

t.test('the deployed network is a valid detector without batch norm', async (t) => {
  const trainer = await Trainer.open(trainable(), runner, options())
  await take(trainer, 1)
  const deployed = deployNetwork(trainer.network(), buildNetwork(network))
  await trainer.close()
  requireValidGraph(deployed)
  t.same(describeModel(deployed).classNames, [...partNames])
  t.notOk(deployed.nodes.some((node) => node.opType === 'BatchNormalization'))
})
