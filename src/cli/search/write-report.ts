/** The documents of a bundle that a search made: report.json for scripts, report.html for people. Both tell the same figures. */

import { cpus } from 'node:os'
import { type Candidate, candidateId } from '../../compress/search/candidate.js'
import type { MeasuredTrial } from '../../compress/search/trial.js'
import { sha256Of } from '../../base/digest.js'
import { packageVersion } from '../package-version.js'
import { reportHtml } from '../report/report-html.js'
import { layersNote } from './candidate-maker.js'
import type { LayerFigures } from './layer-figures.js'
import { picturePairs } from './picture-pairs.js'
import type { SearchFolder } from './search-folder.js'
import type { SearchOutcome } from './search-outcome.js'

/** Documents by file name. */
export async function writeReport(
  outcome: SearchOutcome,
  folder: SearchFolder,
): Promise<ReadonlyMap<string, string>> {
  const layers = ((await folder.note(layersNote)) ?? { layers: [], histograms: [] }) as LayerFigures
  const chosen = outcome.choices.find(({ best }) => best !== undefined)?.best
  const pictures =
    chosen === undefined
      ? []
      : await picturePairs(outcome.request, chosen, await folder.model(chosen.candidate))
  const machine = `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} threads`
  return new Map([
    ['report.json', `${JSON.stringify(reportOf(outcome, layers, machine), null, 2)}\n`],
    ['report.html', reportHtml({ outcome, layers, pictures, machine, toolVersion: packageVersion() })],
  ])
}

function reportOf(outcome: SearchOutcome, layers: LayerFigures, machine: string): object {
  const { request, trials, refused, variants, dropped, choices } = outcome
  const { source, dataset, images, command } = request
  const kept = new Set(variants)
  return {
    tool_version: packageVersion(),
    command,
    machine,
    started_at: new Date(outcome.startedAtMs).toISOString(),
    out_of_time: outcome.outOfTime,
    source: {
      sha256: sha256Of(source.fileBytes),
      size_bytes: source.fileBytes.byteLength,
      ms: outcome.sourceMs,
    },
    calibration_images: images.count,
    dataset: { name: dataset.name, images: dataset.images.length },
    budgets: choices.map(({ budget, best }) => ({
      budget: budget.text,
      best: best === undefined ? null : candidateId(best.candidate),
    })),
    trials: trials.map((trial) => ({ ...trialOf(trial), kept: kept.has(trial) })),
    dropped: dropped.map(({ trial, by }) => ({
      id: candidateId(trial.candidate),
      dominated_by: candidateId(by.candidate),
    })),
    refused: refused.map(({ candidate, reason }) => ({ id: candidateId(candidate), reason })),
    layers: layers.layers,
  }
}

function trialOf({ candidate, figures, sha256 }: MeasuredTrial): object {
  return {
    ...wireOf(candidate),
    sha256,
    map: figures.map,
    map50: figures.map50,
    difference: figures.difference,
    ms: figures.ms,
    speed_up: figures.speedUp,
    size_bytes: figures.sizeBytes,
    packed_bytes: figures.packedBytes,
    macs: figures.macs,
    parameters: figures.parameters,
  }
}

function wireOf(candidate: Candidate): object {
  const { precision, target, side, macs } = candidate
  return {
    id: candidateId(candidate),
    precision,
    ...(target !== undefined && { int8_target: target }),
    input: { width: side, height: side },
    macs_kept: macs,
  }
}
