import t from 'tap'

import { type Random, seededRandom } from '../../../src/base/random.js'
import { fitWeights } from '../../../src/compress/restoration/fit-weights.js'
import type { Matrix } from '../../../src/compress/restoration/matrix-products.js'
import type { ActivationName, FitRows } from '../../../src/compress/restoration/step-graph.js'
import { graphRunner } from '../../../src/cli/compress/graph-runner.js'

const runner = graphRunner({ intraOpThreads: 1 })

function matrix(rows: number, columns: number, of: (row: number, column: number) => number): Matrix {
  const data = Float32Array.from({ length: rows * columns }, (_, at) =>
    of(Math.floor(at / columns), at % columns),
  )
  return { rows, columns, data }
}

/** Rows whose answers come from `truth` through `activation`, with noise. */
function rowsOf(
  random: Random,
  count: number,
  about: { readonly truth: Matrix; readonly activation: ActivationName; readonly noise: number },
): FitRows {
  const { truth, activation, noise } = about
  const n = truth.columns
  const patches = matrix(count, n, (_, column) => (column === n - 1 ? 1 : random.normal() * (1 + column / 4)))
  const answers = matrix(count, truth.rows, (row, output) => {
    let sum = 0
    for (let at = 0; at < n; at++) sum += patches.data[row * n + at]! * truth.data[output * n + at]!
    const value = { identity: sum, relu: Math.max(0, sum), silu: sum / (1 + Math.exp(-sum)) }[activation]
    return value + noise * random.normal()
  })
  return { patches, answers }
}

for (const activation of ['identity', 'relu', 'silu'] as const) {
  t.test(`weights behind ${activation} are found again`, async (t) => {
    const random = seededRandom(3)
    const truth = matrix(5, 13, () => random.normal() / 3)
    const start = { ...truth, data: truth.data.map((value) => value + 0.2 * random.normal()) }
    const about = { truth, activation, noise: 0 }
    const rows = { fitted: rowsOf(random, 600, about), held: rowsOf(random, 200, about), activation }
    const fit = await fitWeights(start, rows, runner, { ridge: 1e-6, steps: 60 })
    t.ok(fit.errorBefore > 0.01, `before ${fit.errorBefore}`)
    t.ok(fit.errorAfter < 1e-4, `after ${fit.errorAfter}`)
    fit.weights.forEach((value, at) => {
      if (Math.abs(value - truth.data[at]!) > 0.03) t.fail(`weight ${at}: ${value}, not ${truth.data[at]!}`)
    })
  })
}

t.test('too few rows to learn from: the held-out rows keep the fit from harm', async (t) => {
  const random = seededRandom(4)
  const truth = matrix(4, 41, () => random.normal() / 6)
  const start = { ...truth, data: truth.data.map((value) => value + 0.01 * random.normal()) }
  const about = { truth, activation: 'silu' as const, noise: 1 }
  const rows = {
    fitted: rowsOf(random, 30, about),
    held: rowsOf(random, 400, about),
    activation: 'silu' as const,
  }
  const fit = await fitWeights(start, rows, runner, { ridge: 1e-3, steps: 40 })
  t.ok(fit.errorAfter <= fit.errorBefore, `${fit.errorAfter} <= ${fit.errorBefore}`)
  t.ok(start.data.length === fit.weights.length)
})

t.test('a strong ridge holds the weights where they are', async (t) => {
  const random = seededRandom(5)
  const truth = matrix(3, 9, () => random.normal())
  const start = { ...truth, data: truth.data.map((value) => value + 0.3) }
  const about = { truth, activation: 'identity' as const, noise: 0 }
  const rows = {
    fitted: rowsOf(random, 200, about),
    held: rowsOf(random, 200, about),
    activation: 'identity' as const,
  }
  const moved = async (ridge: number): Promise<number> => {
    const { weights } = await fitWeights(start, rows, runner, { ridge, steps: 30 })
    return Math.max(...weights.map((value, at) => Math.abs(value - start.data[at]!)))
  }
  t.ok((await moved(1e3)) < 0.02)
  t.ok((await moved(1e-6)) > 0.2)
})
