/** What a person sees of a training run. Invariant: accuracy is that of the graph as it would be deployed. */

import { exportModel } from '../../onnx/export-model.js'
import type { Graph } from '../../onnx/graph.js'
import { describeModel } from '../../yolo/model-description.js'
import type { Dataset } from '../dataset/dataset.js'
import { measureAccuracy } from '../measure/measure-accuracy.js'
import type { Output } from '../output.js'
import type { StepLog } from './train-network.js'

export interface Accuracy {
  readonly map: number
  readonly map50: number
}

/** The accuracy of a deployed detector on `val`. */
export async function accuracyOf(
  detector: Graph,
  val: Dataset,
  session: { readonly intraOpThreads?: number },
): Promise<Accuracy> {
  const model = { bytes: exportModel(detector), description: describeModel(detector) }
  const { metrics } = await measureAccuracy(model, val, session, () => undefined)
  return { map: metrics.map, map50: metrics.map50 }
}

/** Says how a run goes: one line each quarter of an epoch, and one for each measurement. */
export class TrainingConsole {
  readonly #output: Output
  readonly #stepsPerEpoch: number
  readonly #every: number

  constructor(output: Output, stepsPerEpoch: number) {
    this.#output = output
    this.#stepsPerEpoch = stepsPerEpoch
    this.#every = Math.max(1, Math.round(stepsPerEpoch / 4))
  }

  step({ step, steps, loss, rate, stepMs }: StepLog): void {
    if (step % this.#every !== 0 && step !== 1 && step !== steps) return
    const epoch = (step / this.#stepsPerEpoch).toFixed(2)
    const left = durationText((steps - step) * stepMs)
    const parts = (['box', 'cls', 'dfl', 'neck'] as const)
      .filter((part) => loss[part] > 0)
      .map((part) => `${part} ${loss[part].toFixed(3)}`)
      .join(', ')
    this.#output.note(
      `step ${step} of ${steps}, epoch ${epoch}: ${parts}, rate ${rate.toExponential(1)}, ${Math.round(stepMs)} ms a step, ${left} left`,
    )
  }

  accuracy(step: number, { map, map50 }: Accuracy): void {
    const epoch = (step / this.#stepsPerEpoch).toFixed(1)
    this.#output.note(`epoch ${epoch}: mAP50-95 ${map.toFixed(4)}, mAP50 ${map50.toFixed(4)}`)
  }
}

/** `1 h 12 min`, `4 min`, `20 s`. */
function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
