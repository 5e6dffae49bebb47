/**
 * Optimizers over all parameters of a network.
 * Invariant: the whole state is in `state`, so that a run that goes on from it takes the same steps.
 */

import type { ParameterLayout } from './parameters.js'
import type { VectorMemory } from './vector-memory.js'

export type OptimizerOptions =
  | {
      readonly kind: 'sgd'
      /** Default: 0.937, with Nesterov's look ahead. */
      readonly momentum?: number
      readonly weightDecay?: number
    }
  | {
      readonly kind: 'adamw'
      /** Default: 0.9. */
      readonly beta1?: number
      /** Default: 0.999. */
      readonly beta2?: number
      readonly weightDecay?: number
    }

export interface OptimizerStep {
  /** The number of the step, from 1 on: running averages that begin at zero are corrected by it. */
  readonly step: number
  /** The learning rate of this step. */
  readonly rate: number
  /** What the gradient is multiplied with; 1 by default. */
  readonly scale?: number
}

export interface Optimizer {
  /** Moves the parameters against `gradient` (borrowed, in the same memory and layout). */
  update(gradient: Float32Array, step: OptimizerStep): void
  /** Running averages; written by `update`. */
  readonly state: readonly Float32Array[]
}

/** The parameters that an optimizer changes, and the memory in which it does so. */
export interface Optimized {
  readonly layout: ParameterLayout
  /** Holds the parameters, and room for `stateArrays` arrays more. */
  readonly memory: VectorMemory
  /** All parameters as one array in the order of `layout`; each step writes to it. */
  readonly parameters: Float32Array
}

/** Weight decay of YOLOv8's published recipe. */
const defaultDecay = 5e-4

/** How many arrays an optimizer takes from its memory. */
export function stateArrays({ kind }: OptimizerOptions): number {
  return kind === 'sgd' ? 1 : 2
}

export function makeOptimizer(optimized: Optimized, options: OptimizerOptions): Optimizer {
  return options.kind === 'sgd' ? sgd(optimized, options) : adamW(optimized, options)
}

/** v = m v + g; w -= rate (g + m v). Decay is part of the gradient. */
function sgd(
  { layout, memory, parameters }: Optimized,
  { momentum = 0.937, weightDecay = defaultDecay }: Extract<OptimizerOptions, { kind: 'sgd' }>,
): Optimizer {
  const velocity = memory.take()
  return {
    state: [velocity],
    update: (gradient, { rate, scale = 1 }) => {
      for (const { start, end, decays } of layout.ranges) {
        const [w, v, g] = [parameters, velocity, gradient].map((array) => array.subarray(start, end))
        memory.sgd(w!, v!, g!, { scale, rate, momentum, decay: decays ? weightDecay : 0 })
      }
    },
  }
}

/** Adam with decay apart from the gradient (Loshchilov and Hutter 2019). */
function adamW(
  { layout, memory, parameters }: Optimized,
  options: Extract<OptimizerOptions, { kind: 'adamw' }>,
): Optimizer {
  const { beta1 = 0.9, beta2 = 0.999, weightDecay = defaultDecay } = options
  const mean = memory.take()
  const square = memory.take()
  return {
    state: [mean, square],
    update: (gradient, { rate, step, scale = 1 }) => {
      const common = {
        scale,
        meanShare: 1 - beta1,
        squareShare: 1 - beta2,
        stride: rate / (1 - beta1 ** step),
        spread: 1 / (1 - beta2 ** step),
      }
      for (const { start, end, decays } of layout.ranges) {
        const [w, m, v, g] = [parameters, mean, square, gradient].map((array) => array.subarray(start, end))
        memory.adamW(w!, m!, v!, g!, { ...common, kept: decays ? 1 - rate * weightDecay : 1 })
      }
    },
  }
}
