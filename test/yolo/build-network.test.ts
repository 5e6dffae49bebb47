import { readFileSync } from 'node:fs'
import t from 'tap'
import { seededRandom } from '../../src/base/random.js'
import { requireValidGraph } from '../../src/onnx/check-graph.js'
import { exportModel } from '../../src/onnx/export-model.js'
import type { Graph } from '../../src/onnx/graph.js'
import { importModel } from '../../src/onnx/import-model.js'
import { elementCount, floatTensor } from '../../src/onnx/tensor.js'
import { buildNetwork } from '../../src/yolo/build-network.js'
import { findHead } from '../../src/yolo/find-head.js'
import { foldBatchNorm } from '../../src/yolo/fold-batch-norm.js'
import { describeModel } from '../../src/yolo/model-description.js'
import { networkScales } from '../../src/yolo/network-scale.js'
import { shared, skipWithout } from '../helpers/paths.js'
import { maxDifference, runOnnx } from '../helpers/run-onnx.js'

const coco = Array.from({ length: 80 }, (_, index) => `class_${index}`)
const small = { scale: networkScales.p, classNames: ['bolt', 'nut'], inputWidth: 64, inputHeight: 32 }

function parameterCount(graph: Graph): number {
  return [...graph.initializers]
    .filter(([name]) => /^model\..*\.(weight|bias)$/.test(name))
    .reduce((sum, [, tensor]) => sum + elementCount(tensor.dims), 0)
}

function picture(height: number, width: number): ReturnType<typeof floatTensor> {
  const random = seededRandom(3)
  return floatTensor(
    [1, 3, height, width],
    Float32Array.from({ length: 3 * height * width }, () => random.next()),
  )
}

t.test('the published members have the published numbers of parameters after folding', (t) => {
  const counts = { n: 3151904, s: 11156544, m: 25886080 }
  for (const [name, count] of Object.entries(counts)) {
    const scale = networkScales[name as keyof typeof counts]
    const graph = buildNetwork({ scale, classNames: coco, inputWidth: 64, inputHeight: 64 })
    requireValidGraph(graph)
    t.equal(parameterCount(graph), count, name)
  }
  t.end()
})

t.test(
  'with the weights of a real export the outputs are those of the export',
  {
    skip: skipWithout('models', 'yolov8n.onnx'),
  },
  async (t) => {
    const bytes = readFileSync(shared('models', 'yolov8n.onnx'))
    const real = importModel(bytes)
    const built = buildNetwork({
      scale: networkScales.n,
      classNames: coco,
      inputWidth: 640,
      inputHeight: 640,
    })
    const initializers = new Map(built.initializers)
    for (const [name, own] of built.initializers) {
      if (!name.startsWith('model.')) continue
      const theirs = real.initializers.get(name)
      t.same(theirs?.dims, own.dims, name)
      initializers.set(name, theirs!)
    }
    const images = picture(640, 640)
    const [expected, found] = [
      await runOnnx(bytes, { images }),
      await runOnnx(exportModel({ ...built, initializers }), { images }),
    ]
    t.ok(maxDifference(expected.get('output0'), found.get('output0')) < 1e-3)
  },
)

t.test('the rest of the program recognises a built network, decoded and with raw heads', (t) => {
  for (const batchNorm of [false, true]) {
    const decoded = buildNetwork({ ...small, batchNorm })
    const heads = buildNetwork({ ...small, batchNorm, output: 'heads' })
    requireValidGraph(decoded)
    requireValidGraph(heads)
    t.equal(describeModel(decoded).output.kind, 'decoded')
    t.same(describeModel(heads).classNames, ['bolt', 'nut'])
    t.same(
      findHead(heads).levels.map(({ box, cls }) => [box.value, cls.value]),
      [3, 4, 5].map((level) => [`p${level}_box`, `p${level}_cls`]),
    )
  }
  t.end()
})

t.test('folding batch norm keeps the outputs', async (t) => {
  const graph = buildNetwork({ ...small, batchNorm: true, output: 'heads', seed: 5 })
  const random = seededRandom(9)
  const initializers = new Map(graph.initializers)
  for (const [name, tensor] of graph.initializers) {
    if (!name.includes('.bn.')) continue
    const positive = /running_var|weight/.test(name)
    const data = Float32Array.from({ length: elementCount(tensor.dims) }, () =>
      positive ? 0.5 + random.next() : 0.2 * random.normal(),
    )
    initializers.set(name, floatTensor(tensor.dims, data))
  }
  const trained = { ...graph, initializers }
  const folded = foldBatchNorm(trained)
  requireValidGraph(folded)
  t.notOk(folded.nodes.some((node) => node.opType === 'BatchNormalization'))
  t.equal(parameterCount(folded), parameterCount(buildNetwork({ ...small, output: 'heads' })))
  const images = picture(32, 64)
  const expected = await runOnnx(exportModel(trained), { images }, { optimise: false })
  const found = await runOnnx(exportModel(folded), { images })
  for (const { name } of graph.outputs) t.ok(maxDifference(expected.get(name), found.get(name)) < 1e-4, name)
})

t.test('equal seeds give equal weights, other seeds others', (t) => {
  const weights = (seed: number): unknown =>
    buildNetwork({ ...small, seed }).initializers.get('model.0.conv.weight')
  t.same(weights(4), weights(4))
  t.notSame(weights(4), weights(5))
  t.end()
})

t.test('sizes that no network has are refused', (t) => {
  for (const wrong of [{ inputWidth: 100 }, { inputHeight: 0 }, { classNames: [] }, { batch: 1.5 }]) {
    t.throws(
      () => buildNetwork({ ...small, ...wrong }),
      { code: 'config.value_invalid' },
      JSON.stringify(wrong),
    )
  }
  t.end()
})
