/** `yolo-edge compress`: makes a smaller, faster model of a YOLOv8 export. */

import { basename, dirname, resolve } from 'node:path'
import { Command } from 'commander'
import { systemClock } from '../../base/clock.js'
import { AgentError, isAgentError } from '../../base/errors.js'
import { criterionNames } from '../../compress/pruning/criteria/criterion.js'
import { fleetTargets, int8Targets } from '../../compress/quantization/targets.js'
import type { CalibrationImages } from '../../compress/ports.js'
import { detectHardware } from '../../hardware/detect-hardware.js'
import { openCalibrationFolder } from '../compress/calibration-folder.js'
import { checkLine, defaultMinAgreement } from '../compress/check-verdict.js'
import {
  compressModel,
  type CompressRequest,
  type CompressResult,
  requireFreeFolder,
} from '../compress/compress-model.js'
import { passDump } from '../compress/dump-passes.js'
import { graphRunner } from '../compress/graph-runner.js'
import { type GivenInt8Options, int8OptionsOf, withInt8Options, withPlan } from '../compress/int8-options.js'
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
import {
  requireNoSearchOption,
  searchModel,
  type SearchOptions,
  withSearchOptions,
} from '../search/search-command.js'
import type { Dataset, DatasetReading } from '../dataset/dataset.js'
import { openDataset } from '../dataset/open-dataset.js'
import {
  type InputSize,
  integerOption,
  numberOption,
  sizeHelp,
  sizeOption,
  strictMeaning,
} from '../options.js'
import { type Output, processOutput } from '../output.js'
import { typedCommand } from '../typed-command.js'

interface Options extends SearchOptions, GivenInt8Options {
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
  readonly calib?: string
  readonly images: number
  readonly size?: InputSize
  readonly data?: string
  readonly seed: number
  readonly strict?: boolean
  readonly dumpPasses?: string
  readonly json?: boolean
}

export function compressCommand(): Command {
  const command = new Command('compress')
    .description('Make a smaller, faster model of a YOLOv8 export: bytes in, raw heads out, int8 inside.')
    .argument('<model>', 'a YOLOv8 detector as .onnx, in float')
    .requiredOption('-o, --out <folder>', 'a new folder for the models, report.json and report.html')
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
  return withSearchOptions(
    withInt8Options(command)
      .option('--calib <folder>', 'pictures like those the model will see; labels are not needed')
      .option('--images <count>', 'pictures taken from it at most', integerOption('images', 8, 4096), 128)
      .option('--size <pixels>', sizeHelp, sizeOption)
      .option(
        '-d, --data <path>',
        'labelled pictures to measure the loss on (default: the labels beside --calib)',
      )
      .option('--seed <number>', 'the start of every choice by chance', integerOption('seed', 0, 2 ** 31), 0)
      .option(
        '--strict',
        `${strictMeaning}; with --int8 also where the self-check finds less agreement than --min-agreement, or cannot tell`,
      )
      .option(
        '--dump-passes <folder>',
        'write the graph as text after each pass and step, for whoever changes one',
      )
      .option('--json', 'print the report as JSON'),
  ).action(compress)
}

async function compress(path: string, given: Options): Promise<void> {
  const output = processOutput(given.json ?? false)
  if (given.budget !== undefined && given.dumpPasses !== undefined)
    throw new AgentError('cli.argument_invalid', '--dump-passes is for one model, expected no --budget')
  if (given.budget !== undefined) return searchModel(path, { ...given }, output)
  requireNoSearchOption(given)
  const plan = given.plan === undefined ? {} : readPlanFile(given.plan)
  const options = withPlan(given, plan.int8)
  const int8 = int8OptionsOf(options)
  const steps = stepsOf(plan, options)
  if (options.strict === true && int8 === undefined && (options.calib ?? options.data) === undefined)
    throw new AgentError(
      'cli.argument_invalid',
      '--strict without --int8, --calib or --data: expected one of them',
    )
  await requireFreeFolder(options.out)
  const { fileBytes, graph, description } = await readFloatDetector(path, options.size)
  if (int8 !== undefined && options.target === undefined)
    output.note(`int8 for ${fleetTargets.join(', ')}: a mixed fleet; --target names others`)
  const reading = { note: output.note, strict: options.strict }
  const { images, heldOut } = await calibrationImages(options, reading)
  const request: CompressRequest = {
    modelPath: path,
    bytes: fileBytes,
    graph,
    steps,
    int8,
    check: { minAgreement: options.minAgreement ?? defaultMinAgreement, strict: options.strict ?? false },
    machineTargets: int8 === undefined ? [] : (await detectHardware()).int8Targets,
    context: { runner: graphRunner(), images, seed: options.seed },
    heldOut,
    dataset: await labelledPictures(options, description.classNames, reading),
    outFolder: options.out,
    command: typedCommand(),
    clock: systemClock,
    ...(options.dumpPasses !== undefined && { onPass: passDump(options.dumpPasses) }),
  }
  tell(await compressModel(request, output), options.out, output)
}

function tell({ paths, report, verdict }: CompressResult, folder: string, output: Output): void {
  const { source, models, seconds } = report
  output.result({ folder, paths, ...report })
  for (const [index, model] of models.entries()) {
    const share = `${mega(model.size_bytes)} MB, ${((100 * model.size_bytes) / source.size_bytes).toFixed(0)} % of the source`
    output.line(`${paths[index]!}: ${share}${model.machines === undefined ? '' : `; for ${model.machines}`}`)
  }
  if (verdict === undefined) return
  output.line(checkLine(verdict, seconds))
  for (const warning of verdict.warnings) output.note(`warning: ${warning}`)
  const made = new Set(models.map((model) => model.int8_target))
  for (const name of fleetTargets.filter((target) => !made.has(target)))
    output.note(`no int8 model for ${int8Targets[name].machines}: --target ${name} makes one`)
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
  ]
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

async function calibrationImages(options: Options, reading: DatasetReading): Promise<Pictures> {
  if (options.calib === undefined) {
    const none = { count: 0, read: () => Promise.reject(withoutPictures()) }
    if (options.int8 !== true) return { images: none, heldOut: none }
    throw withoutPictures()
  }
  const folder = await openCalibrationFolder(options.calib, options.images, reading)
  return { images: folder, heldOut: folder.heldOut }
}

interface Pictures {
  readonly images: CalibrationImages
  readonly heldOut: CalibrationImages
}

function withoutPictures(): AgentError {
  return new AgentError('cli.argument_invalid', '--int8 needs --calib with a folder of pictures', {
    hint: 'a hundred pictures from the cameras where the model will work are enough; no labels are needed',
  })
}

function mega(bytes: number): string {
  return (bytes / 1e6).toFixed(2)
}
