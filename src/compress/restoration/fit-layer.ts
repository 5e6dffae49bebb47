/**
 * Fitting one convolution to the answers of the original network: ridge least squares through its activation.
 * Minimises sum (f(y) - f(W x))^2 + lambda |W - W0|^2, W0 being the weights it has. The first solve takes f as the
 * identity; each further one takes a Gauss-Newton step of the true f on the same factorised normal equations
 * (X^T X + lambda) and is kept only while the error falls.
 */

import type { ActivationFunction } from './activation-function.js'
import { factorInPlace, solveInPlace } from './cholesky.js'
import { type Matrix, type MatrixProducts, ProductSum } from './matrix-products.js'

export interface FitOptions {
  /** lambda as a part of the mean diagonal of X^T X. */
  readonly ridge: number
  /** Steps through the activation after the linear solve. */
  readonly steps: number
}

export interface Fit {
  /** Row-major [outputs, unknowns]: weight rows with the bias as last element. */
  readonly weights: Float32Array
  /** Mean squared error behind the activation, divided by the variance there: before and after. */
  readonly errorBefore: number
  readonly errorAfter: number
}

/**
 * @param inputs by sample: unfolded patches, last column 1
 * @param answers by sample: what the original answers at the same places, one column an output
 * @param start the present weights, [outputs, unknowns]
 */
export async function fitLayer(
  data: { readonly inputs: readonly Matrix[]; readonly answers: readonly Matrix[]; readonly start: Matrix },
  activation: ActivationFunction | undefined,
  products: MatrixProducts,
  options: FitOptions,
): Promise<Fit> {
  const { start } = data
  const unknowns = start.columns
  const f = activation ?? { value: (x: number) => x, slope: () => 1 }
  const gram = new ProductSum(unknowns, unknowns)
  for (const input of data.inputs) gram.add(await products.transposedLeft(input, input))
  const lambda = addRidge(gram, options.ridge)
  if (!factorInPlace(gram.data, unknowns)) {
    return { weights: start.data, errorBefore: Number.NaN, errorAfter: Number.NaN }
  }
  const spread = variance(data.answers, f)
  let weights = start.data
  let state = await residual(
    data,
    { ...start, data: weights },
    products,
    activation === undefined ? f : linear,
  )
  const before = activation === undefined ? state.error : (await residual(data, start, products, f)).error
  weights = await step(weights, state, { factor: gram.data, lambda, start })
  state = await residual(data, { ...start, data: weights }, products, f)
  if (activation !== undefined && before <= state.error) {
    weights = start.data
    state = await residual(data, start, products, f)
  }
  for (let count = 0; activation !== undefined && count < options.steps; count++) {
    const next = await step(weights, state, { factor: gram.data, lambda, start })
    const nextState = await residual(data, { ...start, data: next }, products, f)
    if (nextState.error >= state.error) break
    weights = next
    state = nextState
  }
  return { weights, errorBefore: before / spread, errorAfter: state.error / spread }
}

const linear: ActivationFunction = { value: (x) => x, slope: () => 1 }

interface Residual {
  /** X^T of the residual, slopes applied: [unknowns, outputs]. */
  readonly gradient: ProductSum
  /** Sum of squared differences behind the activation. */
  readonly error: number
}

async function residual(
  data: { readonly inputs: readonly Matrix[]; readonly answers: readonly Matrix[] },
  weights: Matrix,
  products: MatrixProducts,
  f: ActivationFunction,
): Promise<Residual> {
  const gradient = new ProductSum(weights.columns, weights.rows)
  let error = 0
  for (let sample = 0; sample < data.inputs.length; sample++) {
    const input = data.inputs[sample]!
    const wanted = data.answers[sample]!.data
    const guess = await products.transposedRight(input, weights)
    const difference = new Float32Array(guess.data.length)
    for (let at = 0; at < difference.length; at++) {
      const delta = f.value(wanted[at]!) - f.value(guess.data[at]!)
      error += delta * delta
      difference[at] = delta * f.slope(guess.data[at]!)
    }
    gradient.add(await products.transposedLeft(input, { ...guess, data: difference }))
  }
  return { gradient, error }
}

/** W + (X^T X + lambda)^-1 (X^T r + lambda (W0 - W)). */
async function step(
  weights: Float32Array,
  { gradient }: Residual,
  system: { readonly factor: Float64Array; readonly lambda: number; readonly start: Matrix },
): Promise<Float32Array> {
  const { rows: outputs, columns: unknowns } = system.start
  const sides = gradient.data.slice()
  for (let output = 0; output < outputs; output++) {
    for (let at = 0; at < unknowns; at++) {
      const index = output * unknowns + at
      sides[at * outputs + output]! += system.lambda * (system.start.data[index]! - weights[index]!)
    }
  }
  solveInPlace(system.factor, unknowns, sides, outputs)
  // Let the event loop breathe between two long solves.
  await Promise.resolve()
  return weights.map(
    (weight, index) => weight + sides[(index % unknowns) * outputs + Math.floor(index / unknowns)]!,
  )
}

function addRidge(gram: ProductSum, ridge: number): number {
  const n = gram.rows
  let trace = 0
  for (let at = 0; at < n; at++) trace += gram.data[at * n + at]!
  const lambda = Math.max((ridge * trace) / n, 1e-9)
  for (let at = 0; at < n; at++) gram.data[at * n + at]! += lambda
  return lambda
}

function variance(answers: readonly Matrix[], f: ActivationFunction): number {
  const columns = answers[0]?.columns ?? 0
  const sums = new Float64Array(columns)
  let squares = 0
  let rows = 0
  for (const matrix of answers) {
    rows += matrix.rows
    for (let at = 0; at < matrix.data.length; at++) {
      const value = f.value(matrix.data[at]!)
      sums[at % columns]! += value
      squares += value * value
    }
  }
  return Math.max(squares - sums.reduce((total, sum) => total + (sum * sum) / rows, 0), 1e-12)
}
