/**
 * The training loop, one step at a time: batch, forward, loss, backward, optimiser, averaged weights.
 * Invariant: a trainer restored from a checkpoint takes the steps that the first one would have taken; a step whose loss is not a number
 * changes nothing and ends the run.
 */

import { AgentError } from '../base/errors.js'
import type { Graph, ValueName } from '../onnx/graph.js'
import type { Tensor } from '../onnx/tensor.js'
import type { Checkpoint } from './checkpoint.js'
import type { HeadLoss, LossParts } from './loss/detection-loss.js'
import type { HeadValues } from './loss/head-batch.js'
import { NetworkSession, trainableNames } from './network-session.js'
import {
  clipGradient,
  makeOptimizer,
  type Optimizer,
  type OptimizerOptions,
} from './optimization/optimizer.js'
import { Parameters } from './optimization/parameters.js'
import { averageDecayAt, rateAt, type ScheduleOptions } from './optimization/schedule.js'
import type { Batch, GraphRunner } from './ports.js'

/** What is learned: a loss of the head outputs, whatever it is computed from. */
export type Objective = (batch: Batch, heads: HeadValues) => HeadLoss | Promise<HeadLoss>

/** Changes weights to what the deployed network will have: zeros stay zero, integers stay integers. Writes in place. */
export type Projection = (weights: ReadonlyMap<ValueName, Float32Array>) => void

export interface TrainerOptions {
  readonly schedule: ScheduleOptions
  readonly optimizer: OptimizerOptions
  /** Largest norm of a gradient. Default: 10. */
  readonly clipNorm?: number
  /** Of the averaged weights (EMA). Default: 0.9999. */
  readonly averageDecay?: number
  /** Steps over which the average slows down. Default: 2000, a fifth of the run at the most. */
  readonly averageRampSteps?: number
  /** Share of a batch in the running statistics of batch norm. Default: 0.03. */
  readonly statisticsShare?: number
  /** Applied to the weights after each step. */
  readonly keep?: Projection
  /** Applied to a copy of the weights with which the network computes; the gradient goes to the weights themselves (straight through). */
  readonly see?: Projection
}

export interface StepReport {
  /** From 1. */
  readonly step: number
  readonly loss: LossParts
  readonly rate: number
  readonly gradientNorm: number
}

export class Trainer {
  readonly #graph: Graph
  readonly #session: NetworkSession
  readonly #options: TrainerOptions
  readonly #weights: Parameters
  /** Running statistics of batch norm. */
  readonly #buffers: Parameters
  readonly #optimizer: Optimizer
  readonly #averageWeights: Float32Array
  readonly #averageBuffers: Float32Array
  /** What the network computes with: the weights, or what `see` makes of them. */
  readonly #seen: Float32Array
  #step = 0

  private constructor(graph: Graph, session: NetworkSession, options: TrainerOptions) {
    this.#graph = graph
    this.#session = session
    this.#options = options
    this.#weights = new Parameters(graph, trainableNames(graph))
    this.#buffers = new Parameters(
      graph,
      session.statistics.flatMap(({ runningMean, runningVariance }) => [runningMean, runningVariance]),
    )
    this.#optimizer = makeOptimizer(this.#weights, options.optimizer)
    this.#averageWeights = this.#weights.values.slice()
    this.#averageBuffers = this.#buffers.values.slice()
    this.#seen = options.see === undefined ? this.#weights.values : this.#weights.values.slice()
  }

  /** Opens a network with raw heads and a fixed batch. Throws what the runner throws, and `model.op_unsupported`. */
  static async open(graph: Graph, runner: GraphRunner, options: TrainerOptions): Promise<Trainer> {
    return new Trainer(graph, await NetworkSession.open(graph, trainableNames(graph), runner), options)
  }

  /** Steps taken. */
  get steps(): number {
    return this.#step
  }

  /**
   * Takes one step. `whileRunning` is called while the network computes: the place to make the next batch.
   * Throws `training.loss_diverged` when the loss or the gradient is not a number.
   */
  async step(batch: Batch, objective: Objective, whileRunning?: () => void): Promise<StepReport> {
    const step = this.#step + 1
    this.#see()
    const weights = this.#weights.tensors(this.#seen)
    const heads = await this.#session.forward(batch.images, weights)
    const { loss, gradients } = await objective(batch, heads)
    if (!Number.isFinite(loss.total)) throw diverged(step, 'loss')
    const running = this.#session.backward(batch.images, weights, gradients)
    whileRunning?.()
    const result = await running
    const gradient = this.#flatten(result.gradients)
    const gradientNorm = clipGradient(gradient, this.#options.clipNorm ?? 10)
    if (!Number.isFinite(gradientNorm)) throw diverged(step, 'gradient')
    const rate = rateAt(step, this.#options.schedule)
    this.#optimizer.update(gradient, rate, step)
    this.#options.keep?.(viewsOf(this.#weights, this.#weights.values))
    this.#followStatistics(result.statistics)
    this.#step = step
    this.#average()
    return { step, loss, rate, gradientNorm }
  }

  /** The network with the averaged weights, or with those of the last step. */
  network(weights: 'averaged' | 'latest' = 'averaged'): Graph {
    const values =
      weights === 'averaged'
        ? [this.#averageWeights.slice(), this.#averageBuffers.slice()]
        : [this.#weights.values.slice(), this.#buffers.values.slice()]
    this.#options.keep?.(viewsOf(this.#weights, values[0]!))
    this.#options.see?.(viewsOf(this.#weights, values[0]!))
    const initializers = new Map<ValueName, Tensor>([
      ...this.#graph.initializers,
      ...this.#weights.tensors(values[0]),
      ...this.#buffers.tensors(values[1]),
    ])
    return { ...this.#graph, initializers }
  }

  /** Everything that the next step depends on; shares memory with the trainer until it is encoded. */
  checkpoint(): Checkpoint {
    return { step: this.#step, arrays: this.#arrays() }
  }

  /** Goes on where `checkpoint` was taken. Throws `training.checkpoint_unusable` when it is of another network. */
  restore(checkpoint: Checkpoint): void {
    const own = this.#arrays()
    const fits =
      own.length === checkpoint.arrays.length &&
      own.every((array, index) => array.length === checkpoint.arrays[index]!.length)
    if (!fits) {
      throw new AgentError(
        'training.checkpoint_unusable',
        'cannot go on from the checkpoint: it belongs to another network or optimiser',
      )
    }
    for (const [index, array] of own.entries()) array.set(checkpoint.arrays[index]!)
    this.#step = checkpoint.step
  }

  close(): Promise<void> {
    return this.#session.close()
  }

  #arrays(): readonly Float32Array[] {
    return [
      this.#weights.values,
      this.#buffers.values,
      this.#averageWeights,
      this.#averageBuffers,
      ...this.#optimizer.state,
    ]
  }

  #see(): void {
    if (this.#options.see === undefined) return
    this.#seen.set(this.#weights.values)
    this.#options.see(viewsOf(this.#weights, this.#seen))
  }

  #flatten(gradients: ReadonlyMap<ValueName, Float32Array>): Float32Array {
    const flat = new Float32Array(this.#weights.values.length)
    for (const { name, offset } of this.#weights.slots) flat.set(gradients.get(name)!, offset)
    return flat
  }

  /** Running statistics move towards those of the batch; variances as of a sample (divided by n - 1), as PyTorch has it. */
  #followStatistics(found: ReadonlyMap<ValueName, Float32Array>): void {
    const share = this.#options.statisticsShare ?? 0.03
    const buffers = viewsOf(this.#buffers, this.#buffers.values)
    for (const { mean, variance, count, runningMean, runningVariance } of this.#session.statistics) {
      blend(buffers.get(runningMean)!, found.get(mean)!, share, 1)
      blend(buffers.get(runningVariance)!, found.get(variance)!, share, count / Math.max(1, count - 1))
    }
  }

  #average(): void {
    const { averageDecay = 0.9999, schedule } = this.#options
    const { averageRampSteps = Math.min(2000, Math.max(1, schedule.steps / 5)) } = this.#options
    const share = 1 - averageDecayAt(this.#step, averageDecay, averageRampSteps)
    blend(this.#averageWeights, this.#weights.values, share, 1)
    blend(this.#averageBuffers, this.#buffers.values, share, 1)
  }
}

function viewsOf(parameters: Parameters, values: Float32Array): ReadonlyMap<ValueName, Float32Array> {
  return new Map(parameters.slots.map((slot) => [slot.name, Parameters.view(values, slot)]))
}

function blend(into: Float32Array, from: Float32Array, share: number, factor: number): void {
  for (let at = 0; at < into.length; at++) into[at] = (1 - share) * into[at]! + share * factor * from[at]!
}

function diverged(step: number, what: string): AgentError {
  return new AgentError(
    'training.loss_diverged',
    `the ${what} of step ${step} is not a number: training has diverged`,
    {
      hint: 'Go on from the last checkpoint with a smaller learning rate.',
    },
  )
}
