/**
 * The training loop, one step at a time: batch, forward, loss, backward, optimizer, averaged weights.
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
  makeOptimizer,
  type Optimizer,
  type OptimizerOptions,
  stateArrays,
} from './optimization/optimizer.js'
import { ParameterLayout } from './optimization/parameters.js'
import { averageDecayAt, rateAt, type ScheduleOptions } from './optimization/schedule.js'
import { VectorMemory } from './optimization/vector-memory.js'
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
  /** What the averaged weights (EMA) keep of themselves in a step, 0..1; 0.9999 unless given. */
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
  /** The number of the step, from 1 on. */
  readonly step: number
  readonly loss: LossParts
  readonly rate: number
  readonly gradientNorm: number
}

export class Trainer {
  readonly #graph: Graph
  readonly #session: NetworkSession
  readonly #options: TrainerOptions
  readonly #memory: VectorMemory
  readonly #layout: ParameterLayout
  readonly #weights: Float32Array
  readonly #averageWeights: Float32Array
  readonly #gradient: Float32Array
  /** What the network computes with: the weights, or what `see` makes of them. */
  readonly #seen: Float32Array
  readonly #optimizer: Optimizer
  /** Running statistics of batch norm. */
  readonly #bufferLayout: ParameterLayout
  readonly #buffers: Float32Array
  readonly #averageBuffers: Float32Array
  #step = 0
  /** The last step whose weights are in the average. */
  #averagedStep = 0

  private constructor(graph: Graph, state: TrainerState, session: NetworkSession, options: TrainerOptions) {
    this.#graph = graph
    this.#session = session
    this.#options = options
    this.#layout = state.layout
    this.#memory = state.memory
    this.#weights = state.weights
    this.#gradient = state.gradient
    this.#seen = state.seen
    this.#averageWeights = state.memory.take()
    this.#averageWeights.set(state.weights)
    this.#optimizer = makeOptimizer(
      { layout: this.#layout, memory: this.#memory, parameters: this.#weights },
      options.optimizer,
    )
    this.#bufferLayout = new ParameterLayout(
      graph,
      session.statistics.flatMap(({ runningMean, runningVariance }) => [runningMean, runningVariance]),
    )
    this.#buffers = new Float32Array(this.#bufferLayout.length)
    this.#bufferLayout.fill(this.#buffers, graph)
    this.#averageBuffers = this.#buffers.slice()
  }

  /** Opens a network with raw heads and a fixed batch. Throws what the runner throws, and `model.op_unsupported`. */
  static async open(graph: Graph, runner: GraphRunner, options: TrainerOptions): Promise<Trainer> {
    const state = trainerState(graph, runner, options)
    const learned = {
      weights: state.layout.tensors(state.seen),
      gradients: state.layout.tensors(state.gradient),
    }
    try {
      return new Trainer(graph, state, await NetworkSession.open(graph, learned, runner), options)
    } catch (thrown) {
      await state.memory.close()
      throw thrown
    }
  }

  /** How many steps have been taken. */
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
    const forward = this.#session.forward(batch.images)
    this.#average()
    const heads = await forward
    const { loss, gradients } = await objective(batch, heads)
    if (!Number.isFinite(loss.total)) throw diverged(step, 'loss')
    const running = this.#session.backward(gradients)
    whileRunning?.()
    const statistics = await running
    const gradientNorm = Math.sqrt(this.#memory.sumOfSquares(this.#gradient))
    if (!Number.isFinite(gradientNorm)) throw diverged(step, 'gradient')
    const rate = rateAt(step, this.#options.schedule)
    const { clipNorm = 10 } = this.#options
    const scale = gradientNorm > clipNorm ? clipNorm / gradientNorm : 1
    this.#optimizer.update(this.#gradient, { step, rate, scale })
    this.#options.keep?.(this.#layout.views(this.#weights))
    this.#followStatistics(statistics)
    this.#step = step
    return { step, loss, rate, gradientNorm }
  }

  /** The network with the averaged weights, or with those of the last step. */
  network(weights: 'averaged' | 'latest' = 'averaged'): Graph {
    this.#average()
    const isAveraged = weights === 'averaged'
    const values = (isAveraged ? this.#averageWeights : this.#weights).slice()
    const buffers = (isAveraged ? this.#averageBuffers : this.#buffers).slice()
    this.#options.keep?.(this.#layout.views(values))
    this.#options.see?.(this.#layout.views(values))
    const initializers = new Map<ValueName, Tensor>([
      ...this.#graph.initializers,
      ...this.#layout.tensors(values),
      ...this.#bufferLayout.tensors(buffers),
    ])
    return { ...this.#graph, initializers }
  }

  /** Everything that the next step depends on; shares memory with the trainer until it is encoded. */
  checkpoint(): Checkpoint {
    this.#average()
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
    this.#averagedStep = checkpoint.step
  }

  async close(): Promise<void> {
    await Promise.all([this.#session.close(), this.#memory.close()])
  }

  #arrays(): readonly Float32Array[] {
    return [
      this.#weights,
      this.#buffers,
      this.#averageWeights,
      this.#averageBuffers,
      ...this.#optimizer.state,
    ]
  }

  #see(): void {
    if (this.#options.see === undefined) return
    this.#seen.set(this.#weights)
    this.#options.see(this.#layout.views(this.#seen))
  }

  /** Running statistics move towards those of the batch; variances as of a sample (divided by n - 1), as PyTorch has it. */
  #followStatistics(found: ReadonlyMap<ValueName, Float32Array>): void {
    const share = this.#options.statisticsShare ?? 0.03
    const buffers = this.#bufferLayout.views(this.#buffers)
    for (const { mean, variance, count, runningMean, runningVariance } of this.#session.statistics) {
      blend(buffers.get(runningMean)!, found.get(mean)!, share, 1)
      blend(buffers.get(runningVariance)!, found.get(variance)!, share, count / Math.max(1, count - 1))
    }
  }

  /** Takes the weights of the last step into the average: before they change, and at a time when somebody else computes. */
  #average(): void {
    if (this.#averagedStep === this.#step) return
    this.#averagedStep = this.#step
    const { averageDecay = 0.9999, schedule } = this.#options
    const { averageRampSteps = Math.min(2000, Math.max(1, schedule.steps / 5)) } = this.#options
    const share = 1 - averageDecayAt(this.#step, averageDecay, averageRampSteps)
    this.#memory.blend(this.#averageWeights, this.#weights, share)
    blend(this.#averageBuffers, this.#buffers, share, 1)
  }
}

/** The arrays that a trainer shares with its sessions. */
interface TrainerState {
  readonly layout: ParameterLayout
  readonly memory: VectorMemory
  readonly weights: Float32Array
  readonly gradient: Float32Array
  readonly seen: Float32Array
}

function trainerState(
  graph: Graph,
  { threads }: GraphRunner,
  { optimizer, see }: TrainerOptions,
): TrainerState {
  const layout = new ParameterLayout(graph, trainableNames(graph))
  const isChanged = see !== undefined
  // Weights, their average and their gradient; what is seen if that is not the weights; and what the optimizer remembers.
  const memory = new VectorMemory(layout.length, 3 + (isChanged ? 1 : 0) + stateArrays(optimizer), threads)
  const weights = memory.take()
  layout.fill(weights, graph)
  return { layout, memory, weights, gradient: memory.take(), seen: isChanged ? memory.take() : weights }
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
