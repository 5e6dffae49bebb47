import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { graphRunner } from '../../../src/cli/compress/graph-runner.js'
import { samplesOf } from '../../../src/compress/calibration-samples.js'
import { toEdgeForm } from '../../../src/compress/edge-form.js'
import type { Feeds } from '../../../src/compress/ports.js'
import { calibrate, quantize } from '../../../src/compress/quantization/quantize.js'
import { int8Target } from '../../../src/compress/quantization/targets.js'
import { seededRandom } from '../../../src/base/random.js'
import type { Graph } from '../../../src/onnx/graph.js'
import { importModel } from '../../../src/onnx/import-model.js'
import { byteScaleOf, planesOfBytes } from '../../../src/yolo/byte-scale.js'
import { describeModel } from '../../../src/yolo/model-description.js'
import { projectRoot } from '../../helpers/paths.js'

const network = toEdgeForm(importModel(readFileSync(join(projectRoot, 'models', 'parts', 'parts.onnx'))))
const { inputWidth, inputHeight } = describeModel(network)
/** Coarse random patches: what the network answers to them varies from place to place. */
const images = {
  count: 8,
  read: (index: number) => {
    const random = seededRandom(index)
    const patches = Uint8Array.from({ length: 3 * 64 }, () => random.integer(256))
    const pixels = new Uint8Array(3 * inputWidth * inputHeight)
    for (let at = 0; at < pixels.length; at++) {
      const place = Math.floor(at / 3)
      const row = Math.floor((8 * Math.floor(place / inputWidth)) / inputHeight)
      const column = Math.floor((8 * (place % inputWidth)) / inputWidth)
      pixels[at] = patches[3 * (8 * row + column) + (at % 3)]!
    }
    return Promise.resolve(pixels)
  },
}
const runner = graphRunner()
const options = { target: int8Target('x64'), method: 'mse', biasCorrection: true } as const

t.test('heads leave as bytes that stand for what the float network answers', async (t) => {
  const model = quantize(network, await calibrate(network, options, runner, images), options)
  const [expected, actual] = [await outputsOf(network), await outputsOf(model.withFloat(new Set()))]
  for (const [name, tensor] of actual) {
    const float = expected.get(name)!
    if (tensor.type !== 'uint8' || float.type !== 'float32') throw new Error(`${name} is ${tensor.type}`)
    const [batch, height, width, channels] = tensor.dims
    t.same([batch, channels, height, width], float.dims)
    const planes = planesOfBytes(tensor.data, channels!, byteScaleOf(model.graph.metadata, name)!)
    // Class logits end at the lowest threshold in use: only their probabilities say the same.
    if (name.endsWith('cls'))
      t.ok(differenceOf(planes, float.data) < 0.02, `${name}: ${differenceOf(planes, float.data)}`)
    else {
      const error = relativeError(distancesOf(planes), distancesOf(float.data))
      // Patches hold no object of this network: boxes are of what is not there, and weights of 7 bits move them. Wrong bytes, such as those
      // of another channel, give more than 1.
      t.ok(error < 0.6, `${name}: ${error}`)
    }
  }
})

t.test('a head that stays float leaves as floats', async (t) => {
  const model = quantize(network, await calibrate(network, options, runner, images), options)
  const [first, ...others] = network.outputs
  const producer = network.nodes.find((node) => node.outputs.includes(first!.name))!
  const graph = model.withFloat(new Set([producer.name]))
  t.same(graph.outputs[0], first)
  t.same(new Set(graph.outputs.slice(1).map(({ type }) => type)), new Set(['uint8']))
  t.equal(byteScaleOf(graph.metadata, first!.name), undefined)
  t.ok(others.every(({ name }) => byteScaleOf(graph.metadata, name) !== undefined))
  t.ok((await outputsOf(graph)).has(first!.name))
})

t.test('a Concat reads what a Split parts before it is parted', async (t) => {
  const model = quantize(network, await calibrate(network, options, runner, images), options)
  const parts = new Set(model.graph.nodes.flatMap((node) => (node.opType === 'Split' ? node.outputs : [])))
  t.ok(parts.size > 0)
  const joins = model.graph.nodes.filter(({ opType }) => opType === 'Concat')
  t.ok(joins.length > 0)
  for (const { inputs } of joins) t.notOk(inputs.some((input) => parts.has(input)))
})

async function outputsOf(graph: Graph): Promise<Feeds> {
  const open = await runner.open(graph)
  try {
    return await open.run(await samplesOf(graph, images).read(0))
  } finally {
    await open.close()
  }
}

/** The distances, in cells, that box logits `[64, area]` stand for: the mean over the 16 bins of each side. */
function distancesOf(logits: Float32Array): Float32Array {
  const area = logits.length / 64
  return Float32Array.from({ length: 4 * area }, (_, at) => {
    const first = 16 * Math.floor(at / area) * area + (at % area)
    let sum = 0
    let weighted = 0
    for (let bin = 0; bin < 16; bin++) {
      const weight = Math.exp(logits[first + bin * area]!)
      sum += weight
      weighted += bin * weight
    }
    return weighted / sum
  })
}

/** Root mean square of the difference, as a part of the standard deviation of `wanted`. */
function relativeError(values: Float32Array, wanted: Float32Array): number {
  const mean = wanted.reduce((sum, value) => sum + value, 0) / wanted.length
  const spread = wanted.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return Math.sqrt(wanted.reduce((sum, value, at) => sum + (value - values[at]!) ** 2, 0) / spread)
}

/** Root mean square between the probabilities of two sets of logits. */
function differenceOf(logits: Float32Array, wanted: Float32Array): number {
  const probability = (logit: number): number => 1 / (1 + Math.exp(-logit))
  const squares = logits.reduce(
    (sum, logit, at) => sum + (probability(logit) - probability(wanted[at]!)) ** 2,
    0,
  )
  return Math.sqrt(squares / logits.length)
}
