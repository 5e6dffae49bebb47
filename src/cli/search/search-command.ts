/** `yolo-edge compress --budget`: the options of a search, and what it tells at the end. */

import { availableParallelism } from 'node:os'
import type { Command } from 'commander'
import { AgentError } from '../../base/errors.js'
import type { Int8TargetName } from '../../compress/quantization/targets.js'
import type { Budget } from '../../compress/search/budget.js'
import { candidateId } from '../../compress/search/candidate.js'
import { requireName, requireVersion } from '../../protocol/names.js'
import { nameOf } from '../bundle/published-bundle.js'
import { openCalibrationFolder } from '../compress/calibration-folder.js'
import { machineTarget } from '../compress/machine-target.js'
import { requireFreeFolder } from '../compress/compress-model.js'
import { openDataset } from '../dataset/open-dataset.js'
import { readFloatDetector } from '../model-file.js'
import { flagOf, type InputSize, integerOption } from '../options.js'
import { type Output, table } from '../output.js'
import { readSigningKey } from '../fleet/signing-key.js'
import { typedCommand } from '../typed-command.js'
import { finishSearch } from './finish-search.js'
import { runSearch } from './run-search.js'
import type { SearchOutcome } from './search-outcome.js'
import {
  budgetOption,
  durationOption,
  type SearchRequest,
  sizesOption,
  targetsOption,
} from './search-request.js'

export interface SearchOptions {
  readonly budget?: readonly Budget[]
  readonly val?: string
  readonly sizes?: readonly number[]
  readonly for?: readonly Int8TargetName[]
  readonly time?: number
  readonly threads?: number
  readonly name?: string
  readonly modelVersion?: string
  readonly sign?: string
}

/** What a search takes from the other options of the command. */
interface SharedOptions {
  readonly out: string
  readonly calib?: string
  readonly images: number
  readonly strict?: boolean
  readonly size?: InputSize
  /** What int8 is measured as, one; undefined: what this machine computes right and fast. */
  readonly target?: readonly Int8TargetName[]
}

/** Options that say what to do; with a budget the search decides that. */
const decidedBySearch = [
  'plan',
  'prune',
  'sparsity',
  'threshold',
  'int8',
  'method',
  'bits',
  'rounding',
  'maxDrop',
  'sensitivity',
  'minAgreement',
  'data',
] as const
/** Options that only a search understands. */
const ofSearch = ['val', 'sizes', 'for', 'time', 'threads', 'name', 'modelVersion', 'sign'] as const

export function withSearchOptions(command: Command): Command {
  return command
    .option(
      '--budget <bounds>',
      'find the best variants and write a bundle: map-drop<=1.0 (points), size<=2MB, packed<=2MB, ms<=20, speed-up>=2.4, with commas; may be repeated',
      budgetOption,
    )
    .option('--val <path>', 'with --budget: labelled pictures that every variant is measured on')
    .option('--sizes <list>', 'with --budget: input sizes to try, such as 640,512,416', sizesOption)
    .option(
      '--for <targets>',
      'with --budget: other hardware that the bundle should serve, such as arm64,tensorrt',
      targetsOption,
    )
    .option(
      '--time <duration>',
      'with --budget: begin no candidate after this, such as 30m (default: 1h)',
      durationOption,
    )
    .option('--threads <count>', 'with --budget: threads of one inference', integerOption('threads', 1, 256))
    .option('--name <name>', 'with --budget: name of the model (default: that of the file)')
    .option('--model-version <version>', 'with --budget: version of the model (default: from the time)')
    .option('--sign <key>', 'with --budget: private key that signs the bundle')
}

/** Throws `cli.argument_invalid` for an option that means nothing without a budget. */
export function requireNoSearchOption(options: SearchOptions): void {
  const option = ofSearch.find((name) => options[name] !== undefined)
  if (option === undefined) return
  throw new AgentError(
    'cli.argument_invalid',
    `${flagOf(option)} without --budget, expected --budget as well`,
  )
}

/** Searches, writes the bundle and tells what it holds. Throws `cli.*`, `compress.*`, `dataset.*`, `model.*`. */
export async function searchModel(
  path: string,
  options: SearchOptions & SharedOptions & Readonly<Record<string, unknown>>,
  output: Output,
): Promise<void> {
  const conflict = decidedBySearch.find((name) => options[name] !== undefined)
  if (conflict !== undefined)
    throw new AgentError(
      'cli.argument_invalid',
      `${flagOf(conflict)} and --budget: with a budget the search decides it`,
    )
  const [given, another] = options.target ?? []
  if (another !== undefined) {
    const problem = `--target ${given} and --target ${another} with --budget: expected the one that is measured here`
    throw new AgentError('cli.argument_invalid', problem, { hint: '--for names the other hardware to serve' })
  }
  const { out, calib, val, modelVersion } = options
  const name = requireName('model', options.name ?? nameOf(path))
  if (modelVersion !== undefined) requireVersion(modelVersion)
  if (calib === undefined || val === undefined) {
    const missing = calib === undefined ? '--calib' : '--val'
    throw new AgentError('cli.argument_invalid', `--budget needs ${missing} with a folder of pictures`, {
      hint: '--calib: pictures like those of the cameras; --val: labelled pictures, which are never learnt from',
    })
  }
  await requireFreeFolder(out)
  const source = await readFloatDetector(path, options.size)
  const { inputWidth, inputHeight, classNames } = source.description
  if (inputWidth !== inputHeight) {
    const problem = `--budget and an input of ${inputWidth}x${inputHeight}: expected an export with a square input`
    throw new AgentError('cli.argument_invalid', problem)
  }
  const reading = { note: output.note, strict: options.strict, whole: true }
  const images = await openCalibrationFolder(calib, Math.min(options.images, searchImagesMax), reading)
  const hostTarget = given ?? (await machineTarget())
  const request: SearchRequest = {
    source: { ...source, path },
    settings: {
      budgets: options.budget ?? [],
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

/** More pictures make every candidate slower and the ranges hardly better. */
const searchImagesMax = 64

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
