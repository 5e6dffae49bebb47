/**
 * Trains a network that exists: from labels, from a teacher, or both; as it is, or rounded as its int8 form rounds.
 * Invariant: the result has the operators and shapes of the given one; weights that were made zero stay zero.
 */

import { rm } from 'node:fs/promises'
import { present } from '../../base/assert.js'
import { AgentError } from '../../base/errors.js'
import type { Graph } from '../../onnx/graph.js'
import { floatTensor } from '../../onnx/tensor.js'
import { deployNetwork } from '../../training/deploy-network.js'
import { floatNetwork, keepZeros } from '../../training/float-network.js'
import { detectionLoss } from '../../training/loss/detection-loss.js'
import { attentionLoss } from '../../training/loss/attention-loss.js'
import { addLosses, distillationLoss } from '../../training/loss/distillation-loss.js'
import type { HeadShape, HeadValues } from '../../training/loss/head-batch.js'
import type { GraphRunner, OpenGraph, Sample } from '../../training/ports.js'
import type { Objective, Projection } from '../../training/trainer.js'
import { neckValues } from '../../yolo/neck-values.js'
import { headShape } from './head-shape.js'
import { type TrainingLog, trainNetwork } from './train-network.js'

export interface Refinement {
  /** Edge form, float: what is trained. */
  readonly network: Graph
  /** The same network with rounded activations, to compute with while training. */
  readonly simulated?: { readonly graph: Graph; readonly see: Projection }
  /** Edge form, float, of the same classes and input size. */
  readonly teacher?: Graph
  /** Whether the targets of the samples count. */
  readonly useLabels: boolean
  readonly samples: readonly Sample[]
  readonly batch: number
  readonly steps: number
  readonly rate: number
  readonly seed: number
  readonly runner: GraphRunner
  /** Exists while the run lasts. */
  readonly checkpoint: string
  readonly measureSteps: number
}

/** Runs to the end; the trained network in the form of `refinement.network`. Throws `training.*`, `model.*`, `inference.*`. */
export async function refineNetwork(refinement: Refinement, log: TrainingLog): Promise<Graph> {
  const { network, simulated, samples, batch, steps, runner } = refinement
  const shape = headShape(network, batch)
  const size = { width: shape.inputWidth, height: shape.inputHeight }
  const features = refinement.teacher === undefined ? [] : neckValues(network, shape.levels)
  const teacher = refinement.teacher && (await openTeacher(refinement.teacher, shape, runner))
  const deployed = (trained: Graph): Graph => deployNetwork(trained, network)
  try {
    const trained = await trainNetwork(
      {
        network: floatNetwork(simulated?.graph ?? network, shape, features),
        shape,
        samples,
        batches: {
          batch,
          size,
          seed: refinement.seed,
          augmentation: {},
          // A teacher speaks best of pictures like those it will be asked about: whole ones.
          mosaicUntil: refinement.useLabels ? Math.round(0.5 * steps) : 0,
        },
        trainer: {
          schedule: { steps, rate: refinement.rate },
          optimizer: { kind: 'adamw' },
          averageDecay: 0.998,
          keep: keepZeros(network),
          ...(simulated !== undefined && { see: simulated.see }),
        },
        objective: objectiveOf(shape, refinement.useLabels, teacher, features),
        runner,
        checkpoint: refinement.checkpoint,
        checkpointSteps: Math.max(1, Math.round(samples.length / batch)),
        measureSteps: refinement.measureSteps,
      },
      { ...log, measure: (step, latest) => log.measure(step, deployed(latest)) },
    )
    await rm(refinement.checkpoint, { force: true })
    return deployed(trained)
  } finally {
    await teacher?.close()
  }
}

interface Teacher {
  /** What it says to a batch: raw heads under the names of the pupil's, and its own feature maps. */
  lookAt(images: Float32Array): Promise<HeadValues>
  /** By rising stride. */
  readonly featureMaps: readonly string[]
  close(): Promise<void>
}

async function openTeacher(teacher: Graph, shape: HeadShape, runner: GraphRunner): Promise<Teacher> {
  const own = headShape(teacher, shape.batch)
  const said = ({ classCount, inputWidth, inputHeight }: HeadShape): string =>
    `${classCount} classes at ${inputWidth}x${inputHeight}`
  if (said(own) !== said(shape)) {
    throw new AgentError(
      'model.labels_invalid',
      `the teacher has ${said(own)}, expected ${said(shape)} as the model that learns from it`,
    )
  }
  const featureMaps = neckValues(teacher, own.levels)
  const graph = floatNetwork(teacher, own, featureMaps)
  const input = present(graph.inputs[0], 'a network has an input')
  const session: OpenGraph = await runner.open(graph)
  return {
    lookAt: async (images) => {
      const outputs = await session.run(
        new Map([[input.name, floatTensor(input.shape as readonly number[], images)]]),
      )
      const dataOf = (name: string): Float32Array => outputs.get(name)!.data as Float32Array
      const heads = own.levels.flatMap(({ box, cls }, index) => {
        const wanted = shape.levels[index]!
        return [
          [wanted.box, dataOf(box)],
          [wanted.cls, dataOf(cls)],
        ] as const
      })
      return new Map([...heads, ...featureMaps.map((name) => [name, dataOf(name)] as const)])
    },
    featureMaps,
    close: () => session.close(),
  }
}

/** What is learned from a teacher: its heads, and where it looks at each level; `features` are the pupil's own feature maps. */
function objectiveOf(
  shape: HeadShape,
  useLabels: boolean,
  teacher: Teacher | undefined,
  features: readonly string[],
): Objective {
  const pairs = (teacher?.featureMaps ?? []).map((map, level) => {
    const { stride } = shape.levels[level]!
    const cells = (shape.inputWidth / stride) * (shape.inputHeight / stride)
    return { own: features[level]!, teacher: map, cells }
  })
  return async ({ images, targets }, values) => {
    const byLabels = useLabels ? detectionLoss(shape, values, targets) : undefined
    if (teacher === undefined) return present(byLabels, 'a network learns from labels or from a teacher')
    const wanted = await teacher.lookAt(images)
    const byHeads = distillationLoss(shape, values, wanted)
    const byTeacher = addLosses(byHeads, attentionLoss(shape.batch, pairs, values, wanted))
    return byLabels === undefined ? byTeacher : addLosses(byTeacher, byLabels)
  }
}
