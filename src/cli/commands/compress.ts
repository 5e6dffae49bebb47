/** `yolo-edge compress`: makes a smaller, faster model of a YOLOv8 export. */

import { basename, dirname, resolve } from 'node:path'
import { Command } from 'commander'
import { AgentError, isAgentError } from '../../base/errors.js'
import { criterionNames } from '../../compress/pruning/criteria/criterion.js'
import { calibrationMethods } from '../../compress/quantization/calibration/range-methods.js'
import { roundings } from '../../compress/quantization/quantize.js'
import { int8Target, int8Targets } from '../../compress/quantization/targets.js'
import type { CalibrationImages } from '../../compress/ports.js'
import { openCalibrationFolder } from '../compress/calibration-folder.js'
import { compressModel, requireFreeFolder } from '../compress/compress-model.js'
import { graphRunner } from '../compress/graph-runner.js'
import { int8Step } from '../compress/int8-step.js'
import {
  type PlanSection,
  type PlanSections,
  pruneOption,
  prunePlanOf,
  readPlanFile,
  sparsityPlanOf,
} from '../compress/plan-file.js'
import { pruneStep } from '../compress/prune-step.js'
import { sparsityStep } from '../compress/sparsity-step.js'
import type { CompressStep } from '../compress/step.js'
import { readFloatDetector } from '../model-file.js'
import { searchModel, type SearchOptions, withSearchOptions } from '../search/search-command.js'
import type { Dataset, DatasetReading } from '../dataset/dataset.js'
import { openDataset } from '../dataset/open-dataset.js'
import {
  choiceOption,
  type InputSize,
  integerOption,
  numberOption,
  sizeHelp,
  sizeOption,
  strictMeaning,
} from '../options.js'
import { processOutput } from '../output.js'

const targetNames = Object.keys(int8Targets) as readonly (keyof typeof int8Targets)[]

interface Options extends SearchOptions {
  readonly out: string
  readonly plan?: string
  readonly prune?: PlanSection
  readonly criterion?: string
  readonly schedule?: string
  readonly restore?: string
  readonly sparsity?: number
  readonly threshold?: number
  readonly pattern?: string
  readonly sparseBy?: string
  readonly int8?: boolean
  readonly target: keyof typeof int8Targets
  readonly calib?: string
  readonly images: number
  readonly size?: InputSize
  readonly method: (typeof calibrationMethods)[number]
  readonly bits?: number
  readonly rounding?: (typeof roundings)[number]
  readonly maxDrop?: number
  readonly data?: string
  readonly sensitivity?: boolean
  readonly biasCorrection: boolean
  readonly seed: number
  readonly strict?: boolean
  readonly json?: boolean
}

export function compressCommand(): Command {
  const command = new Command('compress')
    .description('Make a smaller, faster model of a YOLOv8 export: bytes in, raw heads out, int8 inside.')
    .argument('<model>', 'a YOLOv8 detector as .onnx, in float')
    .requiredOption('-o, --out <folder>', 'a new folder for the model and its report.json')
    .option('--plan <file>', 'what to do, as YAML; options win over it (examples in config/compress)')
    .option(
      '--prune <what>',
      'remove channels: macs=0.8 keeps that part of the multiply-accumulates; more keys of a plan after commas',
      pruneOption,
    )
    .option('--criterion <name>', `which channels go: ${criterionNames.join(', ')}`)
    .option('--schedule <name>', 'how many of each layer: sensitivity, global, uniform')
    .option('--restore <name>', 'how the rest is re-fitted: lsq, bias, mean, none')
    .option('--sparsity <part>', 'make this part of the weights zero', numberOption('sparsity', 0, 0.99))
    .option('--threshold <value>', 'make weights below it zero', numberOption('threshold', 0, 1e6))
    .option('--pattern <name>', 'where zeros lie: unstructured, kernel, channel, or n:m such as 2:4')
    .option('--sparse-by <name>', 'which weights become zero: l1, l2, gradient, reconstruction, random')
    .option('--int8', 'compute on 8-bit integers; needs --calib')
    .option(
      '--target <name>',
      `the hardware of the int8 model: ${targetNames.join(', ')}; with --budget this machine's unless given`,
      choiceOption('target', targetNames),
      'x64-vnni',
    )
    .option('--calib <folder>', 'pictures like those the model will see; labels are not needed')
    .option('--images <count>', 'pictures taken from it at most', integerOption('images', 8, 4096), 128)
    .option('--size <pixels>', sizeHelp, sizeOption)
    .option(
      '--method <name>',
      `how ranges are chosen: ${calibrationMethods.join(', ')}`,
      choiceOption('method', calibrationMethods),
      'silu',
    )
    .option('--bits <count>', 'bits of a weight (default: 8, or 7 for x64)', integerOption('bits', 2, 8))
    .option(
      '--rounding <name>',
      `how weights are rounded: ${roundings.join(', ')} (default: compensated below 8 bits)`,
      choiceOption('rounding', roundings),
    )
    .option(
      '--max-drop <difference>',
      'largest loss of mAP50-95 and mAP50, e.g. 0.005; as few layers as possible stay float for it',
      numberOption('max-drop', 0, 1),
    )
    .option(
      '-d, --data <path>',
      'labelled pictures to measure the loss on (default: the labels beside --calib)',
    )
    .option('--sensitivity', 'rank the layers in the report')
    .option('--no-bias-correction', 'leave the biases as they are')
    .option('--seed <number>', 'the start of every choice by chance', integerOption('seed', 0, 2 ** 31), 0)
    .option('--strict', strictMeaning)
    .option('--json', 'print the report as JSON')
  return withSearchOptions(command).action(compress)
}

async function compress(path: string, given: Options, command: Command): Promise<void> {
  if (given.budget !== undefined) {
    const target = command.getOptionValueSource('target') === 'default' ? undefined : given.target
    return searchModel(path, { ...given, target }, processOutput(given.json ?? false))
  }
  const plan = given.plan === undefined ? {} : readPlanFile(given.plan)
  const options = { ...given, ...int8Options(plan.int8, command) }
  const output = processOutput(options.json ?? false)
  await requireFreeFolder(options.out)
  const { fileBytes: bytes, graph, description } = await readFloatDetector(path, options.size)
  const steps = stepsOf(plan, options)
  const reading = { note: output.note, strict: options.strict }
  const images = await calibrationImages(options, reading)
  const dataset = await labelledPictures(options, description.classNames, reading)
  const context = { runner: graphRunner(), images, seed: options.seed }
  const request = { modelPath: path, bytes, graph, steps, context, dataset, outFolder: options.out }
  const { path: written, report } = await compressModel(request, output)
  output.result({ path: written, ...report })
  const { source, model } = report
  output.line(
    `${written}: ${mega(model.size_bytes)} MB, ${((100 * model.size_bytes) / source.size_bytes).toFixed(0)} % of the source`,
  )
}

/** Channels first, then weights, integers last: each step needs the float weights that the one before leaves. */
function stepsOf(plan: PlanSections, options: Options): readonly CompressStep[] {
  const { criterion, schedule, restore, sparsity, threshold, pattern, sparseBy } = options
  const prunePlan = prunePlanOf(plan.prune, {
    ...options.prune,
    ...present({ criterion, schedule, restore }),
  })
  const zeros = present({ sparsity, threshold, pattern, criterion: sparseBy })
  const sparsityPlan = sparsityPlanOf(plan.sparsity, zeros)
  return [
    ...(prunePlan === undefined ? [] : [pruneStep(prunePlan)]),
    ...(sparsityPlan === undefined ? [] : [sparsityStep(sparsityPlan)]),
    ...(options.int8 === true ? [int8StepOf(options)] : []),
  ]
}

function int8StepOf(options: Options): CompressStep {
  const { target, method, bits, rounding, maxDrop, sensitivity, biasCorrection } = options
  return int8Step({
    target: int8Target(target),
    method,
    biasCorrection,
    maxDrop,
    sensitivity: sensitivity ?? false,
    ...(bits !== undefined && { weightBits: bits }),
    ...(rounding !== undefined && { rounding }),
  })
}

/** Parsers of the keys that the section `int8` of a plan file may have. */
const int8Keys: Readonly<Record<string, (text: string) => unknown>> = {
  target: choiceOption('int8.target', targetNames),
  method: choiceOption('int8.method', calibrationMethods),
  bits: integerOption('int8.bits', 2, 8),
  rounding: choiceOption('int8.rounding', roundings),
}

/** What the section `int8` of a plan file says and the command line does not. */
function int8Options(section: PlanSection | undefined, command: Command): Partial<Options> {
  if (section === undefined) return {}
  const options: Record<string, unknown> = { int8: true }
  for (const [key, value] of Object.entries(section)) {
    const parse = int8Keys[key]
    if (parse === undefined) {
      const known = Object.keys(int8Keys).join(', ')
      throw new AgentError(
        'compress.plan_invalid',
        `the section int8 has a key ${key}, expected some of ${known}`,
      )
    }
    if (command.getOptionValueSource(key) !== 'cli') options[key] = parse(String(value))
  }
  return options
}

/** Only the keys that have a value. */
function present(values: PlanSection): PlanSection {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}

/** The data set to measure on: the given one, or with --max-drop the labels that lie beside the calibration pictures. */
async function labelledPictures(
  { data, maxDrop, calib }: Options,
  classNames: readonly string[],
  reading: DatasetReading,
): Promise<Dataset | undefined> {
  if (data !== undefined) return openDataset(data, classNames, reading)
  if (maxDrop === undefined || calib === undefined) return undefined
  const folder = basename(resolve(calib)) === 'images' ? dirname(resolve(calib)) : calib
  try {
    return await openDataset(folder, classNames, reading)
  } catch (thrown) {
    if (!isAgentError(thrown, 'dataset.folder_unusable', 'dataset.label_invalid')) throw thrown
    throw new AgentError(thrown.code, `--max-drop needs labelled pictures: ${thrown.message}`, {
      cause: thrown,
      hint: 'name a labelled data set with --data',
    })
  }
}

async function calibrationImages(options: Options, reading: DatasetReading): Promise<CalibrationImages> {
  if (options.calib === undefined) {
    if (options.int8 !== true) return { count: 0, read: () => Promise.reject(withoutPictures()) }
    throw withoutPictures()
  }
  return openCalibrationFolder(options.calib, options.images, reading)
}

function withoutPictures(): AgentError {
  return new AgentError('cli.argument_invalid', '--int8 needs --calib with a folder of pictures', {
    hint: 'a hundred pictures from the cameras where the model will work are enough; no labels are needed',
  })
}

function mega(bytes: number): string {
  return (bytes / 1e6).toFixed(2)
}
