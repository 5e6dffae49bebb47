import t from 'tap'
import { affineParams } from '../../../src/compress/quantization/affine.js'
import {
  biasIntegerMax,
  floorsIn,
  integerBias,
  roundConvolutions,
  roundToNearest,
  weightScaleFloors,
} from '../../../src/compress/quantization/integer-convolution.js'
import { planQuantization } from '../../../src/compress/quantization/quantization-plan.js'
import { int8Targets } from '../../../src/compress/quantization/targets.js'
import { quantizeWeight } from '../../../src/compress/quantization/weights.js'
import { writeInteger } from '../../../src/compress/quantization/write-integer.js'
import { writeQdq } from '../../../src/compress/quantization/write-qdq.js'
import { exportModel } from '../../../src/onnx/export-model.js'
import { runOnnx } from '../../helpers/run-onnx.js'
import { op, tinyGraph, value } from '../../helpers/tiny-graph.js'

const inputScale = 1 / 255
/** The smallest scale with which a bias of 1 is the largest integer. */
const boundary = 1 / (biasIntegerMax * inputScale)
/** What the weights of a row are: usual, on both sides of the boundary, far below it, and nothing. */
const magnitudes = [0.5, 127 * boundary * 1.01, 127 * boundary * 0.99, 1e-9, 1e-20, 1e-35, 0]
const biases = magnitudes.map((_, row) => (row % 2 === 0 ? 1 : -1))

/**
 * Rows of those weights and biases, and a convolution behind them that changes nothing: only where a value is rounded for a
 * reader does ONNX Runtime make integers of the float biases before it.
 */
function convolutions(): ReturnType<typeof tinyGraph> {
  const rows = magnitudes.length
  const identity = Float32Array.from({ length: rows * rows }, (_, at) => (at % (rows + 1) === 0 ? 1 : 0))
  const weights = magnitudes.flatMap((size) => [size, -size / 2])
  return tinyGraph({
    inputs: [value('x', 1, 2, 4, 4)],
    nodes: [
      op('Conv', ['x', 'w', 'b'], ['y'], { kernel_shape: [1, 1] }),
      op('Conv', ['y', 'identity'], ['z'], { kernel_shape: [1, 1] }),
    ],
    outputs: [value('z', 1, rows, 4, 4)],
    initializers: {
      identity: { type: 'float32', dims: [rows, rows, 1, 1], data: identity },
      w: { type: 'float32', dims: [rows, 2, 1, 1], data: Float32Array.from(weights) },
      b: { type: 'float32', dims: [rows], data: Float32Array.from(biases) },
    },
  })
}

for (const target of Object.values(int8Targets)) {
  for (const optimise of [false, true]) {
    t.test(
      `${target.name}: rows of weights near zero keep their bias${optimise ? ', optimised' : ''}`,
      async (t) => {
        const graph = convolutions()
        const plan = planQuantization(graph, target.rules)
        const scales = new Map([
          ['x', affineParams(0, 1, target.activations)],
          ['y', affineParams(-2, 2, target.activations)],
          ['z', affineParams(-2, 2, target.activations)],
        ])
        const table = roundConvolutions(plan, roundToNearest(target.weightBits, floorsIn(plan, scales)))
        const written =
          target.form === 'integer'
            ? writeInteger(plan, { scales, convolutions: table })
            : writeQdq(plan, { scales, convolutions: table, integerBias: target.integerBias })
        const feeds = (data: Float32Array): Parameters<typeof runOnnx>[1] => ({
          x: { type: 'float32', dims: [1, 2, 4, 4], data },
        })
        const pixels = Float32Array.from({ length: 32 }, (_, at) => (at % 16) / 16)
        const result = (await runOnnx(exportModel(written), feeds(pixels), { optimise })).get('z')!
        const expected = (await runOnnx(exportModel(graph), feeds(pixels))).get('z')!
        // The planes of an output that leaves as bytes are the last axis.
        const isBytes = result.type === 'uint8'
        const { scale, zeroPoint } = scales.get('z')!
        for (let row = 0; row < magnitudes.length; row++)
          for (let cell = 0; cell < 16; cell++) {
            const raw = Number(result.data[isBytes ? cell * magnitudes.length + row : row * 16 + cell])
            const found = isBytes ? (raw - zeroPoint) * scale : raw
            const wanted = Number(expected.data[row * 16 + cell])
            if (Math.abs(found - wanted) > 0.03) t.fail(`row of ${magnitudes[row]}: ${found}, not ${wanted}`)
          }
        t.pass('every row is right to two steps')
      },
    )
  }
}

t.test('the bias of a row lies within its bound on both sides of the boundary', (t) => {
  const bias = Float32Array.from(biases)
  const floors = weightScaleFloors(bias, inputScale)
  const weight = {
    type: 'float32',
    dims: [magnitudes.length, 2, 1, 1],
    data: Float32Array.from(magnitudes.flatMap((size) => [size, -size / 2])),
  } as const
  for (const bits of [8, 7, 4]) {
    const { scales, integers } = quantizeWeight(weight, bits, floors)
    const found = integerBias(bias, inputScale, scales)
    for (const [row, integer] of found.entries()) {
      t.ok(Math.abs(integer) <= biasIntegerMax * (1 + 1e-6), `${bits} bits, row ${row}: ${integer}`)
      t.ok(
        Math.abs(integer * inputScale * scales[row]! - bias[row]!) < 1e-4,
        `${bits} bits, row ${row}: the bias comes back`,
      )
    }
    t.same([...integers.slice(-4)], [0, 0, 0, 0], 'rows of nothing are zeros')
  }
  const plain = quantizeWeight(weight, 8)
  t.equal(plain.scales[0], quantizeWeight(weight, 8, floors).scales[0], 'usual rows keep their scale')
  t.end()
})

t.test('a channel without bias has no floor', (t) => {
  t.same([...weightScaleFloors(Float32Array.of(0, 2), 0.5)], [0, Math.fround(2 / (2 ** 30 * 0.5))])
  t.end()
})
