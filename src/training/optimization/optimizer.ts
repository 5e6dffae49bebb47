/**
 * Optimisers over one array of parameters.
 * Invariant: the whole state is in `state`, so that a run that goes on from it takes the same steps.
 */

import type { Parameters } from './parameters.js'

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

export interface Optimizer {
  /** Moves the parameters against `gradient` (borrowed, same layout). `step` counts from 1. */
  update(gradient: Float32Array, rate: number, step: number): void
  /** Running averages; written by `update`. */
  readonly state: readonly Float32Array[]
}

/** Weight decay of YOLOv8's published recipe. */
const defaultDecay = 5e-4

export function makeOptimizer(parameters: Parameters, options: OptimizerOptions): Optimizer {
  return options.kind === 'sgd' ? sgd(parameters, options) : adamW(parameters, options)
}

/** v = m v + g; w -= rate (g + m v). Decay is part of the gradient. */
function sgd(
  { slots, values }: Parameters,
  { momentum = 0.937, weightDecay = defaultDecay }: Extract<OptimizerOptions, { kind: 'sgd' }>,
): Optimizer {
  const velocity = new Float32Array(values.length)
  return {
    state: [velocity],
    update: (gradient, rate) => {
      for (const { offset, length, decays } of slots) {
        const decay = decays ? weightDecay : 0
        for (let at = offset; at < offset + length; at++) {
          const slope = gradient[at]! + decay * values[at]!
          const moved = momentum * velocity[at]! + slope
          velocity[at] = moved
          values[at] = values[at]! - rate * (slope + momentum * moved)
        }
      }
    },
  }
}

/** Adam with decay apart from the gradient (Loshchilov and Hutter 2019). */
function adamW(
  { slots, values }: Parameters,
  options: Extract<OptimizerOptions, { kind: 'adamw' }>,
): Optimizer {
  const { beta1 = 0.9, beta2 = 0.999, weightDecay = defaultDecay } = options
  const mean = new Float32Array(values.length)
  const square = new Float32Array(values.length)
  return {
    state: [mean, square],
    update: (gradient, rate, step) => {
      const stride = rate / (1 - beta1 ** step)
      const spread = 1 / (1 - beta2 ** step)
      for (const { offset, length, decays } of slots) {
        const kept = decays ? 1 - rate * weightDecay : 1
        for (let at = offset; at < offset + length; at++) {
          const slope = gradient[at]!
          const m = (mean[at] = beta1 * mean[at]! + (1 - beta1) * slope)
          const v = (square[at] = beta2 * square[at]! + (1 - beta2) * slope * slope)
          values[at] = kept * values[at]! - (stride * m) / (Math.sqrt(v * spread) + 1e-8)
        }
      }
    },
  }
}

/** Scales `gradient` in place to a Euclidean norm of at most `limit`; returns the norm it had. */
export function clipGradient(gradient: Float32Array, limit: number): number {
  const norm = Math.sqrt(sumOfSquares(gradient))
  if (norm > limit) {
    const factor = limit / norm
    for (let at = 0; at < gradient.length; at++) gradient[at] = gradient[at]! * factor
  }
  return norm
}

/** In four sums, so that no addition waits for the one before. */
function sumOfSquares(values: Float32Array): number {
  let [first, second, third, fourth] = [0, 0, 0, 0]
  const whole = values.length - (values.length % 4)
  for (let at = 0; at < whole; at += 4) {
    first += values[at]! * values[at]!
    second += values[at + 1]! * values[at + 1]!
    third += values[at + 2]! * values[at + 2]!
    fourth += values[at + 3]! * values[at + 3]!
  }
  for (let at = whole; at < values.length; at++) first += values[at]! * values[at]!
  return first + second + third + fourth
}
