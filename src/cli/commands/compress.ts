/** `yolo-edge compress`: makes a smaller, faster model of a YOLOv8 export: one float model, or an int8 model for each kind of processor. */

import { basename, dirname, resolve } from 'node:path'
import { Command, Option } from 'commander'
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
import {
  type GivenInt8Options,
  int8OptionsOf,
  int8Rules,
  withInt8Options,
  withPlan,
} from '../compress/int8-options.js'
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
import { type OptionRules, withRules } from '../option-rules.js'
import { type Output, processOutput } from '../output.js'
import { typedCommand } from '../typed-command.js'

interface Options extends GivenInt8Options {
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
  readonly seed?: number
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
  withInt8Options(command)
    .option('--calib <folder>', 'pictures like those the model will see; labels are not needed')
    .option('--images <count>', 'pictures taken from it at most', integerOption('images', 8, 4096), 128)
    .option('--size <pixels>', sizeHelp, sizeOption)
    .option(
      '-d, --data <path>',
      'labelled pictures to measure the loss on (default with --max-drop: the labels beside --calib)',
    )
    .option('--seed <number>', 'of a random criterion (default: 1)', integerOption('seed', 0, 2 ** 31))
    .option(
      '--strict',
      `${strictMeaning}; with --int8 also where the self-check finds less agreement than --min-agreement, or cannot tell`,
    )
    .option(
      '--dump-passes <folder>',
      'write the graph as text after each pass and step, for whoever changes one',
    )
    .option('--json', 'print the report as JSON')
    .addOption(new Option('--budget <bounds>').argParser(refuseBudget).hideHelp())
  return withRules(command, rules, planned).action(compress)
}

const pruning = ['--prune']
const zeroing = ['--sparsity', '--threshold']
const chance = ['--criterion random', '--sparse-by random']
const rules: OptionRules = {
  '--criterion': { needs: pruning },
  '--schedule': { needs: pruning },
  '--restore': { needs: pruning },
  '--pattern': { needs: ['--sparsity'] },
  '--sparse-by': { needs: ['--sparsity'] },
  '--threshold': { excludes: ['--sparsity', '--pattern', '--sparse-by'] },
  '--seed': { needs: chance },
  ...int8Rules,
  '--calib': { needs: ['--int8', ...pruning, ...zeroing] },
  '--images': { needs: ['--calib'] },
  '--data': { needs: ['--int8'] },
  '--strict': { needs: ['--int8', '--calib'] },
}

/** What the plan file and the keys of `--prune` say, as the options that would say it. */
function planned(command: Command): readonly string[] {
  const { plan, prune, criterion, sparseBy } = command.opts<Options>()
  const sections = plan === undefined ? {} : readPlanFile(plan)
  const zeros = sections.sparsity
  const scorer = criterion ?? prune?.['criterion'] ?? sections.prune?.['criterion']
  return [
    ...(sections.prune === undefined ? [] : ['--prune']),
    ...(zeros === undefined ? [] : [zeros['threshold'] === undefined ? '--sparsity' : '--threshold']),
    ...(sections.int8 === undefined ? [] : ['--int8']),
    ...(scorer === 'random' ? ['--criterion random'] : []),
    ...((sparseBy ?? zeros?.['criterion']) === 'random' ? ['--sparse-by random'] : []),
  ]
}

function refuseBudget(text: string): never {
  throw new AgentError(
    'cli.argument_invalid',
    `compress --budget ${text}: compress makes one model, expected yolo-edge search, which finds variants within a budget`,
    { hint: `yolo-edge search MODEL --budget '${text}' --calib PICTURES --val LABELLED --out BUNDLE` },
  )
}

async function compress(path: string, given: Options): Promise<void> {
  const output = processOutput(given.json ?? false)
  const plan = given.plan === undefined ? {} : readPlanFile(given.plan)
  const options = withPlan(given, plan.int8)
  const int8 = int8OptionsOf(options)
  const steps = stepsOf(plan, options)
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
    context: { runner: graphRunner(), images },
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
  const { criterion, schedule, restore, sparsity, threshold, pattern, sparseBy, seed } = options
  const prunePlan = prunePlanOf(plan.prune, options.prune, present({ criterion, schedule, restore, seed }))
  const zeros = present({ sparsity, threshold, pattern, criterion: sparseBy, seed })
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

/** Pictures to look at the model with, and those that are kept for the self-check; both empty without `--calib`. */
async function calibrationImages(
  { calib, images }: Options,
  reading: DatasetReading,
): Promise<{ readonly images: CalibrationImages; readonly heldOut: CalibrationImages }> {
  if (calib === undefined) {
    const none = {
      count: 0,
      read: () => Promise.reject(new AgentError('cli.argument_invalid', 'no --calib')),
    }
    return { images: none, heldOut: none }
  }
  const folder = await openCalibrationFolder(calib, images, reading)
  return { images: folder, heldOut: folder.heldOut }
}

function mega(bytes: number): string {
  return (bytes / 1e6).toFixed(2)
}
