/**
 * Measures the models of candidates against the export, on the same pictures and in turns on the same machine.
 * Invariant: the export is measured as the user gave it; accuracy does not depend on what was measured before.
 */

import { brotliCompressSync } from 'node:zlib'
import { quantileOf } from '../../base/numeric.js'
import { systemClock } from '../../base/clock.js'
import { sha256Of } from '../../base/digest.js'
import type { Candidate } from '../../compress/search/candidate.js'
import type { MeasuredTrial } from '../../compress/search/trial.js'
import { bootstrapDifference } from '../../evaluation/bootstrap.js'
import type { ImageMatches } from '../../evaluation/match-image.js'
import { costOf } from '../../onnx/cost.js'
import { importModel } from '../../onnx/import-model.js'
import type { SessionOptions } from '../../runtime/session-options.js'
import { describeModel } from '../../yolo/model-description.js'
import { packOptions } from '../bundle/pack-options.js'
import type { Dataset } from '../dataset/dataset.js'
import { measureAccuracy, type MeasuredModel } from '../measure/measure-accuracy.js'
import { measureSpeed, type SpeedMeasurement } from '../measure/measure-speed.js'
import { pictureFrames } from '../measure/speed-frames.js'
import type { Tell } from './tell.js'

/** Turns of a candidate beside the export: enough to tell what is worth going on with. */
const trialRounds = 12

export class CandidateMeter {
  readonly #source: MeasuredModel
  readonly #dataset: Dataset
  readonly #session: SessionOptions
  #sourceMatches: readonly ImageMatches[] | undefined

  constructor(source: MeasuredModel, dataset: Dataset, threads: number | undefined) {
    this.#source = source
    this.#dataset = dataset
    this.#session = threads === undefined ? {} : { intraOpThreads: threads }
  }

  async measure(candidate: Candidate, bytes: Uint8Array, tell: Tell): Promise<MeasuredTrial> {
    this.#sourceMatches ??= (await this.#accuracy(this.#source, 'accuracy of the export', tell)).matches
    const graph = importModel(bytes)
    const model = { bytes, description: describeModel(graph) }
    const { metrics, matches } = await this.#accuracy(model, 'accuracy', tell)
    const { difference, low, high } = bootstrapDifference(this.#sourceMatches, matches)
    const [, speed] = await this.speeds([model], trialRounds, tell)
    const { macs = 0, parameters } = costOf(graph)
    return {
      kind: 'measured',
      candidate,
      sha256: sha256Of(bytes),
      figures: {
        map: metrics.map,
        map50: metrics.map50,
        difference: { value: difference, low, high },
        sizeBytes: bytes.byteLength,
        packedBytes: brotliCompressSync(bytes, packOptions(bytes.byteLength)).byteLength,
        macs,
        parameters,
        ms: quantileOf(speed!.perFrameMs, 0.5),
        speedUp: quantileOf(speed!.ratios, 0.5),
      },
    }
  }

  /** The export and then each of `models`, all in turns. */
  speeds(models: readonly MeasuredModel[], rounds: number, tell: Tell): Promise<readonly SpeedMeasurement[]> {
    return measureSpeed([this.#source, ...models], {
      rounds,
      sessions: 1,
      framesPerTurn: 1,
      session: this.#session,
      framesOf: pictureFrames(this.#dataset.images.map(({ path }) => path)),
      onProgress: (done, total) => {
        tell(done / total, 'speed')
      },
      clock: systemClock,
    })
  }

  async #accuracy(model: MeasuredModel, label: string, tell: Tell): ReturnType<typeof measureAccuracy> {
    return measureAccuracy(model, this.#dataset, {}, (done, total) => {
      tell(done / total, label)
    })
  }
}
