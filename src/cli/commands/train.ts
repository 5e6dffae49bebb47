/** `yolo-edge train`: a YOLOv8 detector from random weights, on labelled pictures, with the inference runtime alone. */

import { rm } from 'node:fs/promises'
import { Command } from 'commander'
import { writeFileAtomic } from '../../base/atomic-file.js'
import { exportModel } from '../../onnx/export-model.js'
import { deployNetwork } from '../../training/deploy-network.js'
import { buildNetwork, type NetworkOptions } from '../../yolo/build-network.js'
import { networkScales, type NetworkScaleName } from '../../yolo/network-scale.js'
import { graphRunner } from '../compress/graph-runner.js'
import { openTrainingDataset } from '../dataset/open-dataset.js'
import { choiceOption, integerOption } from '../options.js'
import { processOutput } from '../output.js'
import { headShape } from '../training/head-shape.js'
import { loadSamples } from '../training/load-samples.js'
import { trainNetwork } from '../training/train-network.js'
import { accuracyOf, TrainingConsole } from '../training/training-console.js'
import { type TrainingOptions, withTrainingOptions } from '../training/training-options.js'

interface Options extends TrainingOptions {
  readonly scale: NetworkScaleName
  readonly size: number
}

const measureEveryDefault = 10
const scaleNames = Object.keys(networkScales) as NetworkScaleName[]

export function trainCommand(): Command {
  const command = new Command('train')
    .description(
      'Train a YOLOv8 detector from random weights. An interrupted run goes on when it is started again.',
    )
    .argument('<data>', 'a data.yaml, or the folder that has one')
    .option(
      '--scale <name>',
      `size of the network: ${scaleNames.join(', ')}`,
      choiceOption('scale', scaleNames),
      'n',
    )
    .option('--size <pixels>', 'side of the input, a multiple of 32', integerOption('size', 32, 2048), 320)
  return withTrainingOptions(command, {
    ...{ epochs: 100, batch: 16, rate: 0.002, measureEvery: measureEveryDefault },
    seedOf: 'first weights and order',
  }).action(train)
}

async function train(data: string, options: Options): Promise<void> {
  const output = processOutput(options.json ?? false)
  const dataset = await openTrainingDataset(data, { note: output.note, strict: options.strict, whole: true })
  const { classNames } = dataset
  const { size, batch, seed } = options
  const network: NetworkOptions = {
    scale: networkScales[options.scale],
    classNames,
    inputWidth: size,
    inputHeight: size,
    seed,
  }
  const template = buildNetwork(network)
  const stepsPerEpoch = dataset.train.images.length / batch
  const steps = Math.max(1, Math.round(options.epochs * stepsPerEpoch))
  const session = options.threads === undefined ? {} : { intraOpThreads: options.threads }
  const loading = output.progress('reading')
  const samples = await loadSamples(dataset.train, { width: size, height: size }, (done, total) => {
    loading.update(done / total, `${done} of ${total} pictures`)
  })
  loading.done()
  const measurements: object[] = []
  const log = new TrainingConsole(output, stepsPerEpoch)
  const trained = await trainNetwork(
    {
      network: buildNetwork({ ...network, batch, batchNorm: true, output: 'heads' }),
      shape: headShape(template, batch),
      samples,
      batches: {
        batch,
        size: { width: size, height: size },
        seed,
        augmentation: {},
        // The last fifth shows whole pictures, as the model will see them.
        mosaicUntil: Math.round(0.8 * steps),
      },
      trainer: { schedule: { steps, rate: options.rate }, optimizer: { kind: 'adamw' } },
      runner: graphRunner(session),
      checkpoint: `${options.out}.checkpoint`,
      checkpointSteps: Math.max(1, Math.round(stepsPerEpoch)),
      measureSteps: Math.max(1, Math.round((options.measureEvery ?? measureEveryDefault) * stepsPerEpoch)),
    },
    {
      resumed: (step) => {
        output.note(`going on after step ${step} of ${steps}`)
      },
      step: (report) => {
        log.step(report)
      },
      measure: async (step, latest) => {
        const accuracy = await accuracyOf(deployNetwork(latest, template), dataset.val, session)
        measurements.push({ step, ...accuracy })
        log.accuracy(step, accuracy)
      },
    },
  )
  await writeFileAtomic(options.out, exportModel(deployNetwork(trained, template)))
  await rm(`${options.out}.checkpoint`, { force: true })
  output.result({ model: options.out, steps, measurements })
  output.line(`wrote ${options.out}`)
}
