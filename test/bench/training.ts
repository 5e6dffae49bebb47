/**
 * What a training step costs: milliseconds a picture by input size and batch, and the share of it that is spent outside the runtime.
 *
 *     npm run bench -- training [--scale n] [--threads 2] [--seconds 3] [--sizes 160,320,640] [--batches 1,4]
 *
 * The network has random weights; a step is batch, forward, loss, backward, optimiser and averaged weights. What the runtime takes is the
 * time of its own calls; the way to its thread and back counts as outside. The next batch is made while it computes.
 */

import { parseArgs } from 'node:util'
import { headShape } from '../../src/cli/training/head-shape.js'
import { makeBatch } from '../../src/training/data/batch-maker.js'
import { drawScene } from '../../src/training/conveyor/draw-scene.js'
import { partNames } from '../../src/training/conveyor/part-shapes.js'
import { planScene } from '../../src/training/conveyor/scene.js'
import { detectionLoss } from '../../src/training/loss/detection-loss.js'
import { Trainer } from '../../src/training/trainer.js'
import { buildNetwork } from '../../src/yolo/build-network.js'
import { networkScales, type NetworkScaleName } from '../../src/yolo/network-scale.js'
import { graphRunner } from '../../src/cli/compress/graph-runner.js'

const { values } = parseArgs({
  options: {
    scale: { type: 'string', default: 'n' },
    threads: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '3' },
    sizes: { type: 'string', default: '160,320,640' },
    batches: { type: 'string', default: '1,4' },
  },
})
const numbers = (text: string): number[] => text.split(',').map(Number)
const scale = networkScales[values.scale as NetworkScaleName]
const leastMs = 1000 * Number(values.seconds)
const leastSteps = 3

interface StepCost {
  readonly size: number
  readonly batch: number
  /** Of the median step. */
  readonly pictureMs: number
  /** Of all steps, 0..1. */
  readonly outside: number
}

/** Milliseconds of each call of `step`: at least three, and as many as take the time that was asked for. */
async function repeated(step: () => Promise<number>): Promise<readonly number[]> {
  const took: number[] = []
  for (let sum = 0; took.length < leastSteps || sum < leastMs; sum += took.at(-1)!) took.push(await step())
  return took
}

async function measure(size: number, batch: number): Promise<StepCost> {
  const network = {
    scale,
    classNames: [...partNames],
    inputWidth: size,
    inputHeight: size,
  }
  const samples = [1, 2, 3, 4].map((seed) => drawScene(planScene(seed), size, size))
  const runner = graphRunner({ intraOpThreads: Number(values.threads), niceness: 0 })
  const graph = buildNetwork({ ...network, batch, batchNorm: true, output: 'heads' })
  const shape = headShape(buildNetwork(network), batch)
  const trainer = await Trainer.open(graph, runner, {
    schedule: { steps: 100, rate: 1e-3 },
    optimizer: { kind: 'adamw' },
  })
  const batchOf = (step: number): ReturnType<typeof makeBatch> =>
    makeBatch(samples, step, { batch, size: { width: size, height: size }, seed: 1, augmentation: {} })
  let next = batchOf(1)
  const step = async (): Promise<number> => {
    const start = performance.now()
    await trainer.step(
      next,
      ({ targets }, heads) => detectionLoss(shape, heads, targets),
      () => {
        next = batchOf(trainer.steps + 2)
      },
    )
    return performance.now() - start
  }
  try {
    // A run has thousands of steps: those before the engine has compiled what it runs often do not count.
    await repeated(step)
    const before = runner.computeMs
    const took = await repeated(step)
    const total = took.reduce((sum, ms) => sum + ms, 0)
    return {
      size,
      batch,
      pictureMs: took.toSorted((a, b) => a - b)[took.length >> 1]! / batch,
      outside: 1 - (runner.computeMs - before) / total,
    }
  } finally {
    await trainer.close()
  }
}

console.log(`YOLOv8 ${values.scale}, ${values.threads} threads, ${values.seconds} s each\n`)
console.log('| input | batch | ms a picture | outside the runtime |')
console.log('| ----- | ----- | ------------ | ------------------- |')
for (const size of numbers(values.sizes))
  for (const batch of numbers(values.batches)) {
    const { pictureMs, outside } = await measure(size, batch)
    console.log(
      `| ${String(size).padEnd(5)} | ${String(batch).padEnd(5)} | ${pictureMs.toFixed(0).padEnd(12)} | ${`${(100 * outside).toFixed(1)} %`.padEnd(19)} |`,
    )
  }
