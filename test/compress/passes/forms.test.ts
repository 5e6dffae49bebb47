import t from 'tap'
import { seededRandom } from '../../../src/base/random.js'
import { toEdgeForm } from '../../../src/compress/edge-form.js'
import { halfPrecision } from '../../../src/compress/passes/half-precision.js'
import { inputSize } from '../../../src/compress/passes/input-size.js'
import { runPasses } from '../../../src/compress/run-passes.js'
import { exportModel } from '../../../src/onnx/export-model.js'
import type { Graph } from '../../../src/onnx/graph.js'
import { importModel } from '../../../src/onnx/import-model.js'
import { buildNetwork } from '../../../src/yolo/build-network.js'
import { describeModel } from '../../../src/yolo/model-description.js'
import { runOnnx } from '../../helpers/run-onnx.js'

t.setTimeout(120_000)

function network(side: number): Graph {
  return toEdgeForm(
    buildNetwork({
      scale: { depth: 0.33, width: 0.0625, channelsMax: 256 },
      classNames: ['a', 'b'],
      inputWidth: side,
      inputHeight: side,
      seed: 3,
    }),
  )
}

async function outputsOf(graph: Graph, side: number): ReturnType<typeof runOnnx> {
  const random = seededRandom(9)
  const data = Uint8Array.from({ length: side * side * 3 }, () => random.integer(256))
  return runOnnx(exportModel(graph), { images: { type: 'uint8', dims: [1, side, side, 3], data } })
}

function furthest(one: Awaited<ReturnType<typeof outputsOf>>, other: typeof one): number {
  let largest = 0
  for (const [name, { data, dims }] of one) {
    const compared = other.get(name)!
    if (dims.join() !== compared.dims.join()) return Infinity
    for (let at = 0; at < data.length; at++)
      largest = Math.max(largest, Math.abs(Number(data[at]) - Number(compared.data[at])))
  }
  return largest
}

t.test('a network at another input size is the network built at that size', async (t) => {
  const resized = runPasses(network(64), [inputSize(96, 96)])
  t.match(describeModel(importModel(exportModel(resized))), { inputWidth: 96, inputHeight: 96 })
  t.equal(furthest(await outputsOf(network(96), 96), await outputsOf(resized, 96)), 0)
  const graph = network(64)
  t.equal(runPasses(graph, [inputSize(64, 64)]), graph)
})

t.test('sizes that the strides do not divide are refused', (t) => {
  const refusal = { code: 'compress.plan_invalid', message: /expected a multiple of 32/ }
  for (const side of [0, 31, 100, 64.5])
    t.throws(() => runPasses(network(64), [inputSize(side, 64)]), refusal)
  t.throws(() => runPasses(network(64), [inputSize(64, 100)]), /input height of 100 pixels/)
  t.end()
})

t.test('half precision has half the bytes and nearly the same outputs, in float', async (t) => {
  const graph = network(64)
  const halved = runPasses(graph, [halfPrecision])
  const [before, after] = [exportModel(graph).length, exportModel(halved).length]
  t.ok(after < 0.7 * before, `${after} of ${before} bytes`)
  const outputs = await outputsOf(halved, 64)
  t.ok([...outputs.values()].every(({ type }) => type === 'float32'))
  const difference = furthest(await outputsOf(graph, 64), outputs)
  t.ok(difference > 0 && difference < 0.02, `largest difference ${difference}`)
})
