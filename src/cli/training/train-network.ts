/**
 * A training run with everything around it: pictures, checkpoints, measurements, and the finished model.
 * Invariant: after kill -9 the run goes on from its last checkpoint and takes the steps it would have taken.
 */

import { readFile } from 'node:fs/promises'
import { writeFileAtomic } from '../../base/atomic-file.js'
import { systemClock } from '../../base/clock.js'
import { AgentError, isAgentError, systemCodeOf } from '../../base/errors.js'
import type { Graph } from '../../onnx/graph.js'
import { decodeCheckpoint, encodeCheckpoint } from '../../training/checkpoint.js'
import { makeBatch, type BatchOptions } from '../../training/data/batch-maker.js'
import { detectionLoss, type LossParts } from '../../training/loss/detection-loss.js'
import type { HeadShape } from '../../training/loss/head-batch.js'
import type { GraphRunner, Sample } from '../../training/ports.js'
import { type Objective, Trainer, type TrainerOptions } from '../../training/trainer.js'

export interface TrainingRun {
  /** Raw heads, fixed batch. */
  readonly network: Graph
  readonly shape: HeadShape
  readonly samples: readonly Sample[]
  readonly batches: BatchOptions
  readonly trainer: TrainerOptions
  /** What is learned. Default: the labels, by the loss of YOLOv8. */
  readonly objective?: Objective
  readonly runner: GraphRunner
  /** Where the state of the run is kept. */
  readonly checkpoint: string
  readonly checkpointSteps: number
  /** Steps between two measurements. */
  readonly measureSteps: number
}

export interface TrainingLog {
  /** The run goes on after so many steps. */
  resumed(step: number): void
  /** After each step; the loss is the mean of the last steps. */
  step(report: StepLog): void
  /** Called every `measureSteps` steps and at the end with the averaged network. */
  measure(step: number, network: Graph): Promise<void>
}

export interface StepLog {
  readonly step: number
  readonly steps: number
  readonly loss: LossParts
  readonly rate: number
  /** Mean duration of the steps of this process. */
  readonly stepMs: number
}

/** Share of the newest step in the reported loss. */
const lossShare = 0.05

/** Runs to the end and returns the averaged network. Throws `training.*`, `resource.*`, `inference.*`. */
export async function trainNetwork(run: TrainingRun, log: TrainingLog): Promise<Graph> {
  const trainer = await Trainer.open(run.network, run.runner, run.trainer)
  const { steps } = run.trainer.schedule
  const byLabels: Objective = ({ targets }, heads) => detectionLoss(run.shape, heads, targets)
  const objective = run.objective ?? byLabels
  try {
    await resume(trainer, run, log)
    const startMs = systemClock.monotonicMs()
    const first = trainer.steps
    let loss: LossParts | undefined
    let batch = makeBatch(run.samples, first + 1, run.batches)
    for (let step = first + 1; step <= steps; step++) {
      const report = await trainer.step(batch, objective, () => {
        batch = makeBatch(run.samples, step + 1, run.batches)
      })
      loss = blended(loss, report.loss)
      const stepMs = (systemClock.monotonicMs() - startMs) / (step - first)
      log.step({ step, steps, loss, rate: report.rate, stepMs })
      if (step % run.checkpointSteps === 0 || step === steps)
        await writeFileAtomic(run.checkpoint, encodeCheckpoint(trainer.checkpoint()))
      if (step % run.measureSteps === 0 || step === steps) await log.measure(step, trainer.network())
    }
    return trainer.network()
  } finally {
    await trainer.close()
  }
}

async function resume(trainer: Trainer, { checkpoint }: TrainingRun, log: TrainingLog): Promise<void> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(checkpoint)
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT') return
    throw thrown
  }
  try {
    trainer.restore(decodeCheckpoint(bytes))
  } catch (thrown) {
    if (!isAgentError(thrown, 'training.checkpoint_unusable')) throw thrown
    throw new AgentError(thrown.code, thrown.message, {
      cause: thrown,
      hint: `finish with the release that began it, or remove ${checkpoint} to begin anew`,
    })
  }
  log.resumed(trainer.steps)
}

function blended(before: LossParts | undefined, now: LossParts): LossParts {
  if (before === undefined) return now
  const mix = (from: number, to: number): number => from + lossShare * (to - from)
  return {
    box: mix(before.box, now.box),
    cls: mix(before.cls, now.cls),
    dfl: mix(before.dfl, now.dfl),
    neck: mix(before.neck, now.neck),
    total: mix(before.total, now.total),
  }
}
