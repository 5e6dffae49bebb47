/**
 * The search: makes and measures one candidate after the other, and writes each down.
 * Invariant: what is tried next follows from the record alone, so a search that was killed ends as it would have.
 */

import { systemClock } from '../../base/clock.js'
import { isAgentError } from '../../base/errors.js'
import { candidateId } from '../../compress/search/candidate.js'
import { nextCandidate, referenceCandidate } from '../../compress/search/next-candidate.js'
import type { Trial } from '../../compress/search/trial.js'
import { graphRunner } from '../compress/graph-runner.js'
import type { Output } from '../output.js'
import { CandidateMaker } from './candidate-maker.js'
import { CandidateMeter } from './candidate-meter.js'
import { SearchFolder } from './search-folder.js'
import { fingerprintOf, type SearchRequest } from './search-request.js'
import type { Tell } from './tell.js'

export interface FinishedSearch {
  readonly folder: SearchFolder
  readonly meter: CandidateMeter
  /** Whether it ended because its time was over. */
  readonly outOfTime: boolean
}

/** Runs the search, or goes on with it. Throws `cli.argument_invalid`, `model.*`, `dataset.*`, `inference.*`. */
export async function runSearch(request: SearchRequest, output: Output): Promise<FinishedSearch> {
  const { source, settings, images, dataset, outFolder, timeLimitMs } = request
  const path = SearchFolder.pathFor(outFolder)
  const folder = await SearchFolder.open(path, fingerprintOf(request), systemClock.wallMs())
  if (folder.records.length > 0) output.note(`going on after ${folder.records.length} candidates of ${path}`)
  const maker = new CandidateMaker(source.graph, images, graphRunner(), folder)
  const meter = new CandidateMeter(source, dataset, request.threads)
  const reference = candidateId(referenceCandidate(settings))
  for (;;) {
    const candidate = nextCandidate(settings, folder.trials)
    if (candidate === undefined) return { folder, meter, outOfTime: false }
    const id = candidateId(candidate)
    const usedMs = folder.records.reduce((sum, { durationMs }) => sum + durationMs, 0)
    if (usedMs > timeLimitMs && id !== reference) return { folder, meter, outOfTime: true }
    const startMs = systemClock.monotonicMs()
    const progress = output.progress(id)
    const tell: Tell = (fraction, detail) => {
      progress.update(fraction, detail)
    }
    const made = await attempt(async () => maker.make(candidate, tell))
    const trial: Trial =
      typeof made === 'string'
        ? { kind: 'refused', candidate, reason: made }
        : await meter.measure(candidate, made, tell)
    progress.done(textOf(trial))
    const durationMs = Math.round(systemClock.monotonicMs() - startMs)
    await folder.add({ trial, durationMs }, typeof made === 'string' ? undefined : made)
  }
}

/** The model, or the sentence why this candidate cannot be made; other errors go on. */
async function attempt(make: () => Promise<Uint8Array>): Promise<Uint8Array | string> {
  try {
    return await make()
  } catch (thrown) {
    if (isAgentError(thrown, 'compress.budget_unreachable', 'compress.plan_invalid', 'model.op_unsupported'))
      return thrown.message
    throw thrown
  }
}

function textOf(trial: Trial): string {
  if (trial.kind === 'refused') return trial.reason
  const { map, difference, speedUp, sizeBytes } = trial.figures
  const points = `${difference.value > 0 ? '+' : ''}${(100 * difference.value).toFixed(2)} points`
  return `mAP ${map.toFixed(4)} (${points}), ${speedUp.toFixed(2)} times as fast, ${(sizeBytes / 1e6).toFixed(2)} MB`
}
