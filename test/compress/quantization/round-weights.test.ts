import t from 'tap'
import { seededRandom } from '../../../src/base/random.js'
import { roundWeights, weightSchemes } from '../../../src/compress/quantization/round-weights.js'
import { ProductSum } from '../../../src/compress/restoration/matrix-products.js'
import type { Graph } from '../../../src/onnx/graph.js'
import { floatTensor } from '../../../src/onnx/tensor.js'
import { op, tinyGraph, value } from '../../helpers/tiny-graph.js'

const inputs = 24
const outputs = 6
const random = seededRandom(5)
const weight = Float32Array.from({ length: outputs * inputs }, () => random.normal() + 0.4)
const graph = tinyGraph({
  inputs: [value('x', 1, inputs, 1, 1)],
  nodes: [op('Conv', ['x', 'w', 'b'], ['y'])],
  outputs: [value('y', 1, outputs, 1, 1)],
  initializers: {
    w: floatTensor([outputs, inputs, 1, 1], weight),
    b: floatTensor(
      [outputs],
      Float32Array.from({ length: outputs }, () => random.normal()),
    ),
  },
})

/** Inputs that depend on each other, with the 1 of the bias behind them. */
const patches = Array.from({ length: 400 }, () => {
  const common = random.normal()
  return [...Array.from({ length: inputs }, () => common + 0.3 * random.normal() + 0.5), 1]
})
const moments = new Map([['y', momentsOf(patches)]])

function momentsOf(rows: readonly number[][]): ProductSum {
  const sum = new ProductSum(inputs + 1, inputs + 1)
  for (const row of rows)
    for (const [i, left] of row.entries())
      for (const [j, right] of row.entries()) sum.data[i * (inputs + 1) + j]! += (left * right) / rows.length
  return sum
}

function weightsOf({ initializers }: Graph): readonly Float32Array[] {
  return ['w', 'b'].map((name) => initializers.get(name)!.data as Float32Array)
}

/** Mean squared change of the convolution's outputs. */
function outputError(rounded: Graph): number {
  const [w, b] = weightsOf(graph)
  const [changed, changedBias] = weightsOf(rounded)
  let sum = 0
  for (const row of patches) {
    for (let output = 0; output < outputs; output++) {
      let difference = changedBias![output]! - b![output]!
      for (let at = 0; at < inputs; at++) {
        const place = output * inputs + at
        difference += row[at]! * (changed![place]! - w![place]!)
      }
      sum += difference ** 2
    }
  }
  return sum / patches.length
}

for (const scheme of weightSchemes) {
  t.test(`${scheme}: a channel has at most 2^n values, and two bits fewer mean a larger error`, (t) => {
    let before = 0
    for (const bits of [8, 6, 4, 2]) {
      const rounded = roundWeights(graph, bits, scheme, undefined)
      const [values] = weightsOf(rounded)
      for (let output = 0; output < outputs; output++) {
        const channel = values!.subarray(output * inputs, (output + 1) * inputs)
        t.ok(new Set(channel).size <= 2 ** bits)
      }
      const error = outputError(rounded)
      t.ok(error > before, `${bits} bits: ${error}`)
      before = error
    }
    t.end()
  })

  t.test(`${scheme}: compensation takes most of the error of the outputs away`, (t) => {
    for (const bits of [6, 4, 3]) {
      const nearest = outputError(roundWeights(graph, bits, scheme, undefined))
      const compensated = outputError(roundWeights(graph, bits, scheme, moments))
      t.ok(compensated < 0.5 * nearest, `${bits} bits: ${compensated} of ${nearest}`)
    }
    t.end()
  })
}

t.test(
  'linear spends its steps on the range there is: less error than symmetric where weights lean to one side',
  (t) => {
    const leaning = {
      ...graph,
      initializers: new Map([
        ...graph.initializers,
        [
          'w',
          floatTensor(
            [outputs, inputs, 1, 1],
            weight.map((each) => Math.abs(each)),
          ),
        ],
      ]),
    }
    const errors = weightSchemes.map((scheme) => {
      const [rounded] = weightsOf(roundWeights(leaning, 8, scheme, undefined))
      return rounded!.reduce((sum, each, at) => sum + (each - Math.abs(weight[at]!)) ** 2, 0)
    })
    t.ok(errors[0]! < 0.5 * errors[1]!, errors.join(' '))
    t.end()
  },
)
