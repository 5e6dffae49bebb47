/**
 * Bias correction: each output of a convolution is shifted so that it answers most like the original one behind the
 * activation; weights stay. Gauss-Newton on one number an output: d += sum f'(z) (f(y) - f(z)) / sum f'(z)^2, a step being
 * at most as long as the sums z are large (root mean square): where the activation is flat the quotient says nothing.
 * Invariant: on the held-out samples no output is worse than before; shifts are finite.
 */

import { sigmoid } from '../../base/numeric.js'
import type { Fit } from './fit-weights.js'
import type { Matrix, MatrixProducts } from './matrix-products.js'
import type { ActivationName } from './step-graph.js'

const steps = 6

/** Sums z of the present weights, and wanted answers y, by sample. */
interface Answers {
  readonly present: Float32Array
  readonly wanted: Float32Array
}

/** @param pairs patches and wanted answers of the samples that the given test takes */
export async function fitBiases(
  start: Matrix,
  pairs: (
    samples: (sample: number) => boolean,
  ) => Iterable<{ readonly patches: Matrix; readonly answers: Matrix }>,
  activation: ActivationName,
  products: MatrixProducts,
): Promise<Fit> {
  const collect = async (held: boolean): Promise<Answers[]> => {
    const list: Answers[] = []
    for (const { patches, answers } of pairs((sample) => (sample % 4 === 3) === held)) {
      const { data } = await products.transposedRight(patches, start)
      list.push({ present: data, wanted: answers.data })
    }
    return list
  }
  const fitted = await collect(false)
  const kept = await collect(true)
  const held = kept.length > 0 ? kept : fitted
  const f = functions[activation]
  const shift = new Float64Array(start.rows)
  const longest = sizesOf(start.rows, fitted)
  for (let step = 0; step < steps; step++) improve(shift, fitted, f, longest)
  const before = errorsOf(new Float64Array(start.rows), held, f)
  const after = errorsOf(shift, held, f)
  const weights = start.data.slice()
  let [errorBefore, errorAfter] = [0, 0]
  for (let output = 0; output < start.rows; output++) {
    const better = after.errors[output]! < before.errors[output]!
    errorBefore += before.errors[output]!
    errorAfter += better ? after.errors[output]! : before.errors[output]!
    if (better) weights[(output + 1) * start.columns - 1]! += shift[output]!
  }
  return { weights, errorBefore: errorBefore / before.spread, errorAfter: errorAfter / before.spread }
}

interface ScalarFunction {
  readonly value: (x: number) => number
  readonly slope: (x: number) => number
}

const functions: Readonly<Record<ActivationName, ScalarFunction>> = {
  identity: { value: (x) => x, slope: () => 1 },
  relu: { value: (x) => Math.max(0, x), slope: (x) => (x > 0 ? 1 : 0) },
  silu: {
    value: (x) => x / (1 + Math.exp(-x)),
    slope: (x) => {
      const gate = sigmoid(x)
      return gate * (1 + x * (1 - gate))
    },
  },
}

/** Root mean square of the sums, by output. */
function sizesOf(outputs: number, answers: readonly Answers[]): Float64Array {
  const squares = new Float64Array(outputs)
  let rows = 0
  for (const { present } of answers) {
    rows += present.length / outputs
    for (let at = 0; at < present.length; at++) squares[at % outputs]! += present[at]! ** 2
  }
  return squares.map((sum) => Math.sqrt(sum / rows))
}

function improve(
  shift: Float64Array,
  answers: readonly Answers[],
  f: ScalarFunction,
  longest: Float64Array,
): void {
  const outputs = shift.length
  const [slopes, curvatures] = [new Float64Array(outputs), new Float64Array(outputs)]
  for (const { present, wanted } of answers) {
    for (let at = 0; at < present.length; at++) {
      const output = at % outputs
      const sum = present[at]! + shift[output]!
      const slope = f.slope(sum)
      slopes[output]! += slope * (f.value(wanted[at]!) - f.value(sum))
      curvatures[output]! += slope * slope
    }
  }
  for (let output = 0; output < outputs; output++) {
    const limit = longest[output]!
    const step = slopes[output]! / curvatures[output]!
    if (curvatures[output]! > 0) shift[output]! += Math.max(-limit, Math.min(limit, step))
  }
}

/** Squared errors by output, and the sum of squared distances of the wanted answers from their means. */
function errorsOf(
  shift: Float64Array,
  answers: readonly Answers[],
  f: ScalarFunction,
): { readonly errors: Float64Array; readonly spread: number } {
  const outputs = shift.length
  const errors = new Float64Array(outputs)
  const sums = new Float64Array(outputs)
  let [rows, squares] = [0, 0]
  for (const { present, wanted } of answers) {
    rows += present.length / outputs
    for (let at = 0; at < present.length; at++) {
      const output = at % outputs
      const value = f.value(wanted[at]!)
      errors[output]! += (value - f.value(present[at]! + shift[output]!)) ** 2
      sums[output]! += value
      squares += value * value
    }
  }
  return {
    errors,
    spread: Math.max(squares - sums.reduce((total, sum) => total + sum * sum, 0) / rows, 1e-12),
  }
}
