/**
 * Least squares of the weights of one convolution, seen through its activation: minimises
 * sum (f(W x) - f(y))^2 + ridge * sum d (W - W0)^2, d being the diagonal of sum x x^T, for every output by itself.
 * Conjugate gradients (Polak-Ribiere) with Gauss-Newton step lengths begin at the present weights; samples that were
 * held out say, output by output, which step was the best (early stopping is the regularisation: Hanke 1995,
 * "Conjugate gradient type methods for ill-posed problems").
 * Invariant: on the held-out samples no output is worse than before.
 */

import { present } from '../../base/assert.js'
import { floatTensor } from '../../onnx/tensor.js'
import type { GraphRunner, OpenGraph } from '../ports.js'
import type { Matrix } from './matrix-products.js'
import { type ActivationName, type FitRows, stepGraph } from './step-graph.js'

export interface FitOptions {
  /** How strongly the weights are held where they are, as a part of the diagonal of the normal equations. */
  readonly ridge: number
  /** Steps at the most. */
  readonly steps: number
}

/** Weights and what they are worth. */
export interface Fit {
  /** Row-major [outputs, unknowns]: weight rows with the bias as last element. */
  readonly weights: Float32Array
  /** Squared error on the held-out samples behind the activation, divided by the variance there: before and after. */
  readonly errorBefore: number
  readonly errorAfter: number
}

/** Steps without a better one for any output after which the fit ends. */
const patience = 6

/**
 * Fits the weights.
 * @param start the present weights, [outputs, unknowns]
 * @param fitted rows to fit; @param held rows of other samples, to stop by
 */
export async function fitWeights(
  start: Matrix,
  rows: { readonly fitted: FitRows; readonly held: FitRows; readonly activation: ActivationName },
  runner: GraphRunner,
  options: FitOptions,
): Promise<Fit> {
  const open = await runner.open(stepGraph(rows.fitted, rows.held, rows.activation))
  try {
    return await new Descent(start, rows.fitted, rows.held, options.ridge).run(open, options.steps)
  } finally {
    await open.close()
  }
}

class Descent {
  readonly #start: Matrix
  readonly #held: FitRows
  readonly #ridge: number
  /** Diagonal of sum x x^T. */
  readonly #diagonal: Float64Array
  readonly #weights: Float32Array
  readonly #best: Float32Array
  readonly #bestError: Float64Array
  readonly #direction: Float32Array
  /** The gradient before the last step; with the ridge. */
  readonly #gradient: Float64Array
  readonly #damping: Float64Array
  #sums: Float32Array
  #heldSums: Float32Array

  constructor(start: Matrix, fitted: FitRows, held: FitRows, ridge: number) {
    this.#start = start
    this.#held = held
    this.#ridge = ridge
    this.#diagonal = diagonalOf(fitted.patches)
    this.#weights = start.data.slice()
    this.#best = start.data.slice()
    this.#bestError = new Float64Array(start.rows).fill(Infinity)
    this.#direction = start.data.slice()
    this.#gradient = new Float64Array(start.data.length)
    this.#damping = new Float64Array(start.rows).fill(1)
    this.#sums = new Float32Array(fitted.answers.data.length)
    this.#heldSums = new Float32Array(held.answers.data.length)
  }

  async run(open: OpenGraph, steps: number): Promise<Fit> {
    const { rows: outputs, columns: n } = this.#start
    // From nothing, one whole step along the start itself gives the sums of the start.
    const ones = new Float32Array(outputs).fill(1)
    let made = await this.#step(open, { descent: ones, ridge: ones, useCurvature: 0 })
    let errors = made.error
    this.#bestError.set(made.heldError)
    const before = sum(this.#bestError)
    this.#turn(made.gradient, true, errors, errors)
    for (let step = 0, idle = 0; step < steps && idle < patience; step++) {
      const descent = new Float32Array(outputs)
      const ridge = new Float32Array(outputs)
      for (let output = 0; output < outputs; output++) {
        let [along, stiffness] = [0, 0]
        for (let at = 0; at < n; at++) {
          const direction = this.#direction[output * n + at]!
          along -= this.#gradient[output * n + at]! * direction
          stiffness += this.#diagonal[at]! * direction * direction
        }
        descent[output] = along * this.#damping[output]!
        ridge[output] = this.#ridge * stiffness + 1e-20
      }
      made = await this.#step(open, { descent, ridge, useCurvature: 1 })
      for (let at = 0; at < this.#weights.length; at++)
        this.#weights[at]! += made.step[Math.floor(at / n)]! * this.#direction[at]!
      idle = this.#keepBest(made.heldError) ? 0 : idle + 1
      this.#turn(made.gradient, false, errors, made.error)
      errors = made.error
    }
    const spread = spreadOf(this.#held.answers)
    return { weights: this.#best, errorBefore: before / spread, errorAfter: sum(this.#bestError) / spread }
  }

  #keepBest(heldError: Float32Array): boolean {
    const { rows: outputs, columns: n } = this.#start
    let better = false
    for (let output = 0; output < outputs; output++) {
      if (!(heldError[output]! < this.#bestError[output]!)) continue
      if (heldError[output]! < this.#bestError[output]! * 0.9999) better = true
      this.#bestError[output] = heldError[output]!
      this.#best.set(this.#weights.subarray(output * n, (output + 1) * n), output * n)
    }
    return better
  }

  /** The next directions from the gradient where the weights are now. */
  #turn(gradient: Float32Array, first: boolean, before: Float32Array, after: Float32Array): void {
    const { rows: outputs, columns: n } = this.#start
    for (let output = 0; output < outputs; output++) {
      const from = output * n
      const worse = !first && after[output]! > before[output]!
      if (worse) this.#damping[output]! *= 0.5
      let [turned, old] = [0, 0]
      for (let at = 0; at < n; at++) {
        const index = from + at
        const pull = this.#ridge * this.#diagonal[at]! * (this.#weights[index]! - this.#start.data[index]!)
        const now = gradient[index]! + pull
        turned += (now * (now - this.#gradient[index]!)) / this.#diagonal[at]!
        old += this.#gradient[index]! ** 2 / this.#diagonal[at]!
        this.#gradient[index] = now
      }
      const keep = first || worse || !(old > 0) ? 0 : Math.max(0, turned / old)
      for (let at = 0; at < n; at++) {
        this.#direction[from + at] =
          keep * this.#direction[from + at]! - this.#gradient[from + at]! / this.#diagonal[at]!
      }
    }
  }

  async #step(
    open: OpenGraph,
    { descent, ridge, useCurvature }: { descent: Float32Array; ridge: Float32Array; useCurvature: number },
  ): Promise<Record<'step' | 'error' | 'heldError' | 'gradient', Float32Array>> {
    const { rows: outputs, columns: n } = this.#start
    const made = await open.run(
      new Map([
        ['sums', floatTensor([this.#sums.length / outputs, outputs], this.#sums)],
        ['held_sums', floatTensor([this.#heldSums.length / outputs, outputs], this.#heldSums)],
        ['direction', floatTensor([outputs, n], this.#direction)],
        ['descent', floatTensor([1, outputs], descent)],
        ['ridge', floatTensor([1, outputs], ridge)],
        ['use_curvature', floatTensor([1, 1], [useCurvature])],
      ]),
    )
    const data = (name: string): Float32Array =>
      present(made.get(name), `${name} is an output`).data as Float32Array
    this.#sums = data('next_sums')
    this.#heldSums = data('next_held_sums')
    return {
      step: data('step'),
      error: data('error'),
      heldError: data('held_error'),
      gradient: data('gradient'),
    }
  }
}

function diagonalOf(patches: Matrix): Float64Array {
  const n = patches.columns
  const diagonal = new Float64Array(n)
  for (let row = 0; row < patches.rows; row++)
    for (let at = 0; at < n; at++) diagonal[at]! += patches.data[row * n + at]! ** 2
  const mean = sum(diagonal) / n
  return diagonal.map((value) => value + Math.max(1e-4 * mean, 1e-20))
}

/** Sum of squared distances from the mean of each column. */
function spreadOf(answers: Matrix): number {
  const sums = new Float64Array(answers.columns)
  let squares = 0
  for (let at = 0; at < answers.data.length; at++) {
    sums[at % answers.columns]! += answers.data[at]!
    squares += answers.data[at]! ** 2
  }
  return Math.max(squares - sums.reduce((total, value) => total + value * value, 0) / answers.rows, 1e-12)
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0)
}
