/** `yolo-edge search`: finds the best variants of a YOLOv8 export within a budget, and writes them as a bundle. */

import { availableParallelism } from 'node:os'
import { Command } from 'commander'
import { AgentError } from '../../base/errors.js'
import { int8Targets, type Int8TargetName } from '../../compress/quantization/targets.js'
import type { Budget } from '../../compress/search/budget.js'
import { candidateId } from '../../compress/search/candidate.js'
import { requireName, requireVersion } from '../../protocol/names.js'
import { nameOf } from '../bundle/published-bundle.js'
import { openCalibrationFolder } from '../compress/calibration-folder.js'
import { requireFreeFolder } from '../compress/compress-model.js'
import { machineTarget } from '../compress/machine-target.js'
import { openDataset } from '../dataset/open-dataset.js'
import { readSigningKey } from '../fleet/signing-key.js'
import { readFloatDetector } from '../model-file.js'
import {
  choiceOption,
  type InputSize,
  integerOption,
  sizeHelp,
  sizeOption,
  strictMeaning,
} from '../options.js'
import { type Output, processOutput, table } from '../output.js'
import { finishSearch } from '../search/finish-search.js'
import { runSearch } from '../search/run-search.js'
import type { SearchOutcome } from '../search/search-outcome.js'
import {
  budgetOption,
  durationOption,
  type SearchRequest,
  sizesOption,
  targetsOption,
} from '../search/search-request.js'
import { typedCommand } from '../typed-command.js'

interface Options {
  readonly out: string
  readonly budget: readonly Budget[]
  readonly calib: string
  readonly val: string
  readonly images: number
  readonly sizes?: readonly number[]
  /** What int8 is measured as; undefined: what this machine computes right and fast. */
  readonly target?: Int8TargetName
  readonly for?: readonly Int8TargetName[]
  readonly time?: number
  readonly threads?: number
  readonly size?: InputSize
  readonly name?: string
  readonly modelVersion?: string
  readonly sign?: string
  readonly strict?: boolean
  readonly json?: boolean
}

/** More pictures make every candidate slower and the ranges hardly better. */
const imagesMax = 64

export function searchCommand(): Command {
  const targetNames = Object.keys(int8Targets) as readonly Int8TargetName[]
  return new Command('search')
    .description(
      'Find the best variants of a YOLOv8 export within a budget, and write them as a bundle. An interrupted search goes on when it is started again.',
    )
    .argument('<model>', 'a YOLOv8 detector as .onnx, in float, with a square input')
    .requiredOption(
      '-o, --out <folder>',
      'a new folder for the bundle, report.json and report.html; beside it FOLDER.search while the search lasts',
    )
    .requiredOption(
      '--budget <bounds>',
      'map-drop<=1.0 (points), size<=2MB, packed<=2MB, ms<=20, speed-up>=2.4, with commas; may be repeated',
      budgetOption,
    )
    .requiredOption('--calib <folder>', 'pictures like those the model will see; labels are not needed')
    .requiredOption(
      '--val <path>',
      'labelled pictures that every variant is measured on; they are never learnt from',
    )
    .option(
      '--images <count>',
      'pictures taken from --calib at most',
      integerOption('images', 8, imagesMax),
      imagesMax,
    )
    .option(
      '--sizes <list>',
      'input sizes to try beside that of the export, such as 640,512,416',
      sizesOption,
    )
    .option(
      '--target <name>',
      `what int8 is measured as: ${targetNames.join(', ')} (default: what this machine computes right and fast)`,
      choiceOption('target', targetNames),
    )
    .option(
      '--for <targets>',
      'other hardware that the bundle should serve (default: arm64,tensorrt)',
      targetsOption,
    )
    .option('--time <duration>', 'begin no candidate after this, such as 30m (default: 1h)', durationOption)
    .option(
      '--threads <count>',
      'threads of one inference (default: every core)',
      integerOption('threads', 1, 256),
    )
    .option('--size <pixels>', sizeHelp, sizeOption)
    .option('--name <name>', 'name of the model (default: that of the file)')
    .option('--model-version <version>', 'semantic version (default: made of the time)')
    .option('--sign <key>', 'private key that signs the bundle (made by yolo-edge keygen)')
    .option('--strict', strictMeaning)
    .option('--json', 'print JSON')
    .action(search)
}

async function search(path: string, options: Options): Promise<void> {
  const output = processOutput(options.json ?? false)
  const { out, calib, val, modelVersion } = options
  const name = requireName('model', options.name ?? nameOf(path))
  if (modelVersion !== undefined) requireVersion(modelVersion)
  await requireFreeFolder(out)
  const source = await readFloatDetector(path, options.size)
  const { inputWidth, inputHeight, classNames } = source.description
  if (inputWidth !== inputHeight) {
    const problem = `cannot search with an input of ${inputWidth}x${inputHeight}: expected an export with a square input`
    throw new AgentError('cli.argument_invalid', problem)
  }
  const reading = { note: output.note, strict: options.strict, whole: true }
  const images = await openCalibrationFolder(calib, options.images, reading)
  const hostTarget = options.target ?? (await machineTarget())
  const request: SearchRequest = {
    source: { ...source, path },
    settings: {
      budgets: options.budget,
      sides: [...new Set([inputWidth, ...(options.sizes ?? []).toSorted((a, b) => b - a)])],
      hostTarget,
      otherTargets: (options.for ?? ['arm64', 'tensorrt']).filter((target) => target !== hostTarget),
      half: true,
    },
    images,
    dataset: await openDataset(val, classNames, reading),
    outFolder: out,
    timeLimitMs: options.time ?? 3600e3,
    threads: options.threads ?? availableParallelism(),
    name,
    version: modelVersion,
    keys: options.sign === undefined ? [] : [await readSigningKey(options.sign)],
    command: typedCommand(),
  }
  const outcome = await finishSearch(request, await runSearch(request, output), output)
  tell(outcome, output)
}

function tell({ request, variants, choices, sourceMs, outOfTime }: SearchOutcome, output: Output): void {
  const { outFolder } = request
  output.result({
    bundle: outFolder,
    out_of_time: outOfTime,
    budgets: choices.map(({ budget, best }) => ({
      budget: budget.text,
      best: best === undefined ? null : candidateId(best.candidate),
    })),
    variants: variants.map(({ candidate, sha256, figures }) => ({
      id: candidateId(candidate),
      sha256,
      map: figures.map,
      map_difference: figures.difference.value,
      ms: figures.ms,
      speed_up: figures.speedUp,
      size_bytes: figures.sizeBytes,
    })),
  })
  output.line(`the export: ${sourceMs.toFixed(1)} ms`)
  const rows = variants.map(({ candidate, figures }) => [
    candidateId(candidate),
    (100 * figures.map).toFixed(2),
    (100 * figures.difference.value).toFixed(2),
    figures.ms.toFixed(1),
    figures.speedUp.toFixed(2),
    (figures.sizeBytes / 1e6).toFixed(2),
  ])
  output.line(table([['variant', 'mAP50-95', 'against', 'ms', 'times', 'MB'], ...rows]))
  for (const { budget, best } of choices)
    output.line(`${budget.text}: ${best === undefined ? 'no variant' : candidateId(best.candidate)}`)
  output.line(`${outFolder}: bundle with ${variants.length} variants; its report.html shows what was tried`)
}
