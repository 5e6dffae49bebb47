import t from 'tap'
import { seededRandom } from '../../../src/base/random.js'
import { graphRunner } from '../../../src/cli/compress/graph-runner.js'
import { fitBiases } from '../../../src/compress/restoration/fit-biases.js'
import { type Matrix, MatrixProducts } from '../../../src/compress/restoration/matrix-products.js'
import type { ActivationName } from '../../../src/compress/restoration/step-graph.js'

const [inputs, rows, sampleCount] = [6, 40, 8]
const random = seededRandom(7)
const patches = Array.from({ length: sampleCount }, () => ({
  rows,
  columns: inputs + 1,
  data: Float32Array.from({ length: rows * (inputs + 1) }, (_, at) =>
    at % (inputs + 1) === inputs ? 1 : random.normal(),
  ),
}))

/** A weight row for each of `biases`. */
function weightsWith(biases: readonly number[], size = 1): Matrix {
  const own = seededRandom(9)
  const data = biases.flatMap((bias) => [...Array.from({ length: inputs }, () => size * own.normal()), bias])
  return { rows: biases.length, columns: inputs + 1, data: Float32Array.from(data) }
}

async function fitted(
  start: Matrix,
  truth: Matrix,
  activation: ActivationName,
): Promise<{
  readonly biases: readonly number[]
  readonly errorBefore: number
  readonly errorAfter: number
}> {
  const products = await MatrixProducts.open(graphRunner({ intraOpThreads: 1 }))
  try {
    const answers: Matrix[] = []
    for (const sample of patches) answers.push(await products.transposedRight(sample, truth))
    const fit = await fitBiases(
      start,
      (takes) =>
        patches
          .map((sample, at) => ({ patches: sample, answers: answers[at]! }))
          .filter((_, at) => takes(at)),
      activation,
      products,
    )
    const biases = [...fit.weights].filter((_, at) => at % (inputs + 1) === inputs)
    return { biases, errorBefore: fit.errorBefore, errorAfter: fit.errorAfter }
  } finally {
    await products.close()
  }
}

for (const activation of ['identity', 'silu'] as const) {
  t.test(`biases behind ${activation} are found again`, async (t) => {
    const [wanted, start] = [
      [0.5, -1, 2],
      [0, 0, 0],
    ]
    const { biases, errorBefore, errorAfter } = await fitted(
      weightsWith(start),
      weightsWith(wanted),
      activation,
    )
    for (const [at, bias] of biases.entries()) t.ok(Math.abs(bias - wanted[at]!) < 0.05, `${bias}`)
    t.ok(errorBefore > 0.05 && errorAfter < 1e-3 * errorBefore)
  })
}

t.test('where the activation is flat, shifts stay within reach', async (t) => {
  // SiLU is lowest at -1.2785: beside it a slope of next to nothing promises the wanted answer at the end of the world.
  const [flat, wanted] = [
    [-1.2785, -1.278465, -1.2786, -40],
    [-4, -4, 0.5, -3],
  ]
  const { biases, errorBefore, errorAfter } = await fitted(
    weightsWith(flat, 1e-6),
    weightsWith(wanted, 1e-6),
    'silu',
  )
  for (const bias of biases) t.ok(Math.abs(bias) < 300, `${bias}`)
  t.ok(Number.isFinite(errorAfter) && errorAfter <= errorBefore)
})
