/**
 * From the record of a search to a bundle with its report.
 * Invariant: the times that decide were all taken in one run of turns and are written down before anything is chosen by them;
 * the bundle is complete or absent.
 */

import { quantileOf } from '../../base/numeric.js'
import { AgentError } from '../../base/errors.js'
import { candidateId } from '../../compress/search/candidate.js'
import { bestWithin, frontOf } from '../../compress/search/front.js'
import type { Budget } from '../../compress/search/budget.js'
import type { MeasuredTrial, RefusedTrial } from '../../compress/search/trial.js'
import { costOf } from '../../onnx/cost.js'
import { importModel } from '../../onnx/import-model.js'
import { describeModel } from '../../yolo/model-description.js'
import { writeBundle } from '../bundle/bundle-folder.js'
import { goldenFileFrom } from '../bundle/golden-file.js'
import { makeBundle, type VariantFile } from '../bundle/make-bundle.js'
import { defaultGoldenImages, versionAt } from '../bundle/published-bundle.js'
import type { Output } from '../output.js'
import { candidatePrunePlan } from './candidate-maker.js'
import { packageVersion } from '../package-version.js'
import type { FinishedSearch } from './run-search.js'
import type { SearchRequest } from './search-request.js'
import type { Choice, SearchOutcome } from './search-outcome.js'
import { writeReport } from './write-report.js'

/** Turns of every variant that may stay. */
const finalRounds = 30

/** Measures the speed of what may stay, chooses, writes the bundle and deletes the record of the search. */
export async function finishSearch(
  request: SearchRequest,
  search: FinishedSearch,
  output: Output,
): Promise<SearchOutcome> {
  const { folder } = search
  const refused = folder.trials.filter((trial): trial is RefusedTrial => trial.kind === 'refused')
  const trials = await withFinalSpeeds(request, search, output)
  const fronts = [...new Set(trials.map(hardwareOf))].map((hardware) =>
    frontOf(trials.filter((trial) => hardwareOf(trial) === hardware)),
  )
  const variants = fronts.flatMap(({ kept }) => kept)
  const dropped = fronts.flatMap((front) => front.dropped)
  const choices = request.settings.budgets.map((budget): Choice => ({
    budget,
    best: bestWithin(budget, runnableHere(request, variants)),
  }))
  if (choices.every(({ best }) => best === undefined)) throw unreachable(request, choices, trials)
  const outcome: SearchOutcome = {
    request,
    startedAtMs: folder.startedAtMs,
    outOfTime: search.outOfTime,
    sourceMs: ((await folder.note('speed')) as FinalSpeeds).sourceMs,
    trials,
    refused,
    variants,
    dropped,
    choices,
  }
  await writeOutcome(outcome, search)
  await folder.remove()
  return outcome
}

/** Variants compete with those for the same hardware: what only an integer unit runs replaces no float model. */
function hardwareOf({ candidate }: MeasuredTrial): string {
  return candidate.precision === 'int8' ? `int8 ${candidate.target}` : candidate.precision
}

function runnableHere(
  { settings }: SearchRequest,
  trials: readonly MeasuredTrial[],
): readonly MeasuredTrial[] {
  return trials.filter(
    ({ candidate: { precision, target } }) =>
      precision === 'fp32' || (precision === 'int8' && target === settings.hostTarget),
  )
}

/** Milliseconds of the export, and of each candidate by id with its factor. */
interface FinalSpeeds {
  readonly sourceMs: number
  readonly speeds: readonly { readonly id: string; readonly ms: number; readonly speedUp: number }[]
}

async function withFinalSpeeds(
  request: SearchRequest,
  { folder, meter }: FinishedSearch,
  output: Output,
): Promise<readonly MeasuredTrial[]> {
  const measured = folder.trials.filter((trial): trial is MeasuredTrial => trial.kind === 'measured')
  const here = runnableHere(request, measured)
  let final = (await folder.note('speed')) as FinalSpeeds | undefined
  if (final === undefined) {
    const models = await Promise.all(
      here.map(async ({ candidate }) => {
        const bytes = await folder.model(candidate)
        return { bytes, description: describeModel(importModel(bytes)) }
      }),
    )
    const progress = output.progress(`speed of ${models.length} models in turns`)
    const [source, ...speeds] = await meter.speeds(models, finalRounds, (fraction) => {
      progress.update(fraction)
    })
    progress.done()
    final = {
      sourceMs: quantileOf(source!.perFrameMs, 0.5),
      speeds: speeds.map(({ perFrameMs, ratios }, index) => ({
        id: candidateId(here[index]!.candidate),
        ms: quantileOf(perFrameMs, 0.5),
        speedUp: quantileOf(ratios, 0.5),
      })),
    }
    await folder.keepNote('speed', final)
  }
  const byId = new Map(final.speeds.map((speed) => [speed.id, speed]))
  return measured.map((trial) => {
    const speed = byId.get(candidateId(trial.candidate))
    if (speed === undefined) return trial
    return { ...trial, figures: { ...trial.figures, ms: speed.ms, speedUp: speed.speedUp } }
  })
}

async function writeOutcome(outcome: SearchOutcome, { folder }: FinishedSearch): Promise<void> {
  const { request, variants } = outcome
  const { source, dataset } = request
  const sourceParameters = costOf(source.graph).parameters
  const files: VariantFile[] = []
  for (const { candidate, figures } of variants) {
    const bytes = await folder.model(candidate)
    const graph = importModel(bytes)
    const { map, map50, parameters } = figures
    files.push({
      path: candidateId(candidate),
      id: candidateId(candidate),
      bytes,
      graph,
      description: describeModel(graph),
      expected: { map, map50, dataset: dataset.name, images: dataset.images.length },
      // Half floats are there for what computes faster with them.
      ...(candidate.precision === 'fp16' && { providers: ['tensorrt', 'cuda'] }),
      ...(candidate.macs < 1 && {
        pruning: {
          method: 'structured',
          criterion: candidatePrunePlan(candidate.macs).criterion,
          macsKept: candidate.macs,
          parametersKept: Math.min(1, parameters / sourceParameters),
          weightSparsity: 0,
        },
      }),
    })
  }
  const content = makeBundle(files, {
    model: request.name,
    version: request.version ?? versionAt(outcome.startedAtMs),
    sequence: Math.floor(outcome.startedAtMs / 1000),
    createdAt: new Date(outcome.startedAtMs).toISOString(),
    toolVersion: packageVersion(),
    source: source.fileBytes,
    plan: request.settings.budgets.map(({ text }) => text).join('; '),
    golden: await goldenFileFrom(request.dataset, defaultGoldenImages),
  })
  const documents = await writeReport(outcome, folder)
  await writeBundle(request.outFolder, content, request.keys, documents)
}

function unreachable(
  { outFolder, settings }: SearchRequest,
  choices: readonly Choice[],
  trials: readonly MeasuredTrial[],
): AgentError {
  const wanted = choices.map(({ budget }: { readonly budget: Budget }) => budget.text).join('; ')
  const nearest = trials.toSorted((a, b) => b.figures.map - a.figures.map).slice(0, 3)
  const told = nearest.map(
    ({ candidate, figures }) =>
      `${candidateId(candidate)} has ${(100 * figures.difference.value).toFixed(2)} points, ${figures.ms.toFixed(1)} ms and ${(figures.sizeBytes / 1e6).toFixed(2)} MB`,
  )
  return new AgentError(
    'compress.budget_unreachable',
    `no variant is within ${wanted}, after ${trials.length} were tried: ${told.join('; ')}`,
    {
      hint: `ask for less, or try more --sizes than ${settings.sides.join(',')}; what was measured stays in ${outFolder}.search`,
    },
  )
}
