/**
 * What `finetune`, `distil` and `qat` have in common: options, reading, the run, the written model.
 * Invariant: the files that are read are never written to, and the model is complete or absent.
 */

import type { Command } from 'commander'
import { writeFileAtomic } from '../../base/atomic-file.js'
import { AgentError } from '../../base/errors.js'
import { toEdgeForm } from '../../compress/edge-form.js'
import { exportModel } from '../../onnx/export-model.js'
import type { Graph } from '../../onnx/graph.js'
import type { GraphRunner, Sample } from '../../training/ports.js'
import { graphRunner } from '../compress/graph-runner.js'
import type { Dataset } from '../dataset/dataset.js'
import { openDataset, openLearningDataset } from '../dataset/open-dataset.js'
import { readFloatDetector } from '../model-file.js'
import { type InputSize, sizeHelp, sizeOption } from '../options.js'
import { processOutput } from '../output.js'
import { loadSamples } from './load-samples.js'
import { type Refinement, refineNetwork } from './refine-network.js'
import { type Accuracy, accuracyOf, TrainingConsole } from './training-console.js'
import { type TrainingOptions, withTrainingOptions } from './training-options.js'

export interface RefineOptions extends TrainingOptions {
  readonly val?: string
  readonly size?: InputSize
}

const measureEveryDefault = 5

/** Adds the options that all three commands have. */
export function withRefineOptions(
  command: Command,
  defaults: { readonly epochs: number; readonly rate: number },
): Command {
  return withTrainingOptions(command, {
    ...defaults,
    batch: 8,
    measureEvery: measureEveryDefault,
    seedOf: 'order and augmentation',
  })
    .option('--val <data>', 'labelled pictures to measure with (default: those of the data.yaml)')
    .option('--size <pixels>', sizeHelp, sizeOption)
}

/** What a command makes of the model before it is trained, and of the trained one before it is written. */
export interface Recipe {
  readonly useLabels: boolean
  readonly teacher?: Graph
  readonly simulated?: NonNullable<Refinement['simulated']>
  /** From the trained network to the one that is deployed. */
  deployed(trained: Graph): Graph
}

/** What a recipe may look at. */
export interface RecipeInput {
  /** Edge form. */
  readonly network: Graph
  readonly samples: readonly Sample[]
  readonly runner: GraphRunner
}

/** Reads, trains, measures and writes. Throws `model.*`, `dataset.*`, `training.*`, `inference.*`. */
export async function refine(
  path: string,
  data: string,
  options: RefineOptions,
  labels: boolean,
  recipeOf: (input: RecipeInput) => Promise<Recipe>,
): Promise<void> {
  const output = processOutput(options.json ?? false)
  const { graph, description } = await readFloatDetector(path, options.size)
  const network = toEdgeForm(graph)
  const reading = { note: output.note, strict: options.strict, whole: true }
  const dataset = await openLearningDataset(data, description.classNames, labels, reading)
  const val =
    options.val === undefined ? dataset.val : await openDataset(options.val, description.classNames, reading)
  if (val === undefined && options.measureEvery !== undefined) {
    const problem = `--measure-every ${options.measureEvery} without labelled pictures to measure with: expected --val, or a data.yaml with a val split`
    throw new AgentError('cli.argument_invalid', problem)
  }
  const session = options.threads === undefined ? {} : { intraOpThreads: options.threads }
  const runner = graphRunner(session)
  const loading = output.progress('reading')
  const size = { width: description.inputWidth, height: description.inputHeight }
  const samples = await loadSamples(dataset.train, size, (done, total) => {
    loading.update(done / total, `${done} of ${total} pictures`)
  })
  loading.done()
  const recipe = await recipeOf({ network, samples, runner })
  const stepsPerEpoch = samples.length / options.batch
  const steps = Math.max(1, Math.round(options.epochs * stepsPerEpoch))
  const log = new TrainingConsole(output, stepsPerEpoch)
  const measurements: object[] = []
  const measured = async (step: number, trained: Graph, on: Dataset): Promise<void> => {
    const accuracy: Accuracy = await accuracyOf(recipe.deployed(trained), on, session)
    measurements.push({ step, ...accuracy })
    log.accuracy(step, accuracy)
  }
  if (val !== undefined) await measured(0, network, val)
  const trained = await refineNetwork(
    {
      network,
      ...recipe,
      samples,
      batch: options.batch,
      steps,
      rate: options.rate,
      seed: options.seed,
      runner,
      checkpoint: `${options.out}.checkpoint`,
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
        if (val !== undefined) await measured(step, latest, val)
      },
    },
  )
  await writeFileAtomic(options.out, exportModel(recipe.deployed(trained)))
  output.result({ model: options.out, steps, measurements })
  output.line(`wrote ${options.out}`)
}

/** A detector as a teacher: edge form, float. Throws `model.*`. */
export async function readTeacher(path: string, size?: InputSize): Promise<Graph> {
  const { graph } = await readFloatDetector(path, size)
  return toEdgeForm(graph)
}
