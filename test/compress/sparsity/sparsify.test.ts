import t from 'tap'

import { seededRandom } from '../../../src/base/random.js'
import type { GradientSource } from '../../../src/compress/pruning/measurements.js'
import { sparsify, type SparsityPorts } from '../../../src/compress/sparsity/sparsify.js'
import type { SparsityPlanInput } from '../../../src/compress/sparsity/sparsity-plan.js'
import type { Graph } from '../../../src/onnx/graph.js'
import type { FloatTensor } from '../../../src/onnx/tensor.js'
import { graphRunner } from '../../../src/cli/compress/graph-runner.js'
import { largestDifference, runOnce } from '../pruning/run-once.js'
import { noiseImages, randomImage, smallDetector } from '../pruning/small-graphs.js'

const ports: SparsityPorts = { runner: graphRunner({ intraOpThreads: 1 }), images: noiseImages(8) }

/** Weights of the convolutions by node name. */
function weightsOf(graph: Graph): Map<string, FloatTensor> {
  return new Map(
    graph.nodes
      .filter((node) => node.opType === 'Conv')
      .map((node) => [node.name, graph.initializers.get(node.inputs[1]!) as FloatTensor]),
  )
}

function zeros(tensor: FloatTensor): number {
  return tensor.data.reduce((count, value) => count + (value === 0 ? 1 : 0), 0)
}

t.setTimeout(900_000)

t.test('every criterion makes the asked part zero, in each layer or over all', async (t) => {
  const graph = smallDetector(seededRandom(1))
  for (const criterion of ['l1', 'l2', 'random', 'reconstruction'] as const) {
    const { graph: sparse, report } = await sparsify(graph, { sparsity: 0.6, criterion }, ports)
    for (const { name, weights, zeros: gone } of report.layers)
      t.ok(Math.abs(gone - 0.6 * weights) <= 2, `${criterion} ${name}: ${gone} of ${weights}`)
    t.equal(
      report.zeros,
      [...weightsOf(sparse).values()].reduce((sum, tensor) => sum + zeros(tensor), 0),
    )
    t.same(sparse.outputs, graph.outputs)
  }
  const { report } = await sparsify(graph, { sparsity: 0.6, scope: 'global' })
  t.ok(Math.abs(report.zeros - 0.6 * report.weights) <= 1)
  const parts = report.layers.map((layer) => layer.zeros / layer.weights)
  t.ok(Math.max(...parts) - Math.min(...parts) > 0.02, 'layers give different parts')
})

t.test('the smallest weights go, and what stays is not touched', async (t) => {
  const graph = smallDetector(seededRandom(2))
  const { graph: sparse } = await sparsify(graph, { sparsity: 0.5 })
  const after = weightsOf(sparse)
  for (const [name, before] of weightsOf(graph)) {
    let [largestGone, smallestKept] = [0, Infinity]
    before.data.forEach((value, at) => {
      if (after.get(name)!.data[at] === 0) largestGone = Math.max(largestGone, Math.abs(value))
      else {
        smallestKept = Math.min(smallestKept, Math.abs(value))
        if (after.get(name)!.data[at] !== value) t.fail(`${name}: weight ${at} has changed`)
      }
    })
    t.ok(largestGone <= smallestKept, name)
  }
})

t.test('a threshold takes what is below it', async (t) => {
  const graph = smallDetector(seededRandom(3))
  const { graph: sparse } = await sparsify(graph, { threshold: 0.1 })
  for (const [name, before] of weightsOf(graph)) {
    const expected = before.data.map((value) => (Math.abs(value) < 0.1 ? 0 : value))
    t.same(weightsOf(sparse).get(name)!.data, expected, name)
  }
})

t.test('2:4 keeps the two best of every four input channels', async (t) => {
  const graph = smallDetector(seededRandom(4))
  const { graph: sparse, report } = await sparsify(graph, { pattern: '2:4' })
  for (const [name, before] of weightsOf(graph)) {
    const [, inputs, ...kernel] = before.dims
    if (inputs! % 4 !== 0) continue
    const taps = kernel.reduce((product, dim) => product * dim, 1)
    const after = weightsOf(sparse).get(name)!.data
    let wrong = 0
    for (let place = 0; place < before.data.length; place++) {
      // The first of every four places in one column of input channels.
      if (Math.floor(place / taps) % 4 !== 0) continue
      const places = [0, 1, 2, 3].map((at) => place + at * taps)
      const best = places.toSorted((a, b) => Math.abs(before.data[b]!) - Math.abs(before.data[a]!))
      if (places.some((at) => (after[at] === 0) === best.indexOf(at) < 2)) wrong++
    }
    t.equal(wrong, 0, name)
  }
  t.ok(report.zeros / report.weights > 0.45)
})

t.test('kernels and channels go whole', async (t) => {
  const graph = smallDetector(seededRandom(5))
  for (const pattern of ['kernel', 'channel'] as const) {
    const { graph: sparse } = await sparsify(graph, { sparsity: 0.5, pattern })
    for (const [name, tensor] of weightsOf(sparse)) {
      const size =
        pattern === 'kernel' ? tensor.dims[2]! * tensor.dims[3]! : tensor.data.length / tensor.dims[0]!
      let partly = 0
      for (let start = 0; start < tensor.data.length; start += size) {
        const gone = zeros({ ...tensor, data: tensor.data.subarray(start, start + size) })
        if (gone !== 0 && gone !== size) partly++
      }
      t.equal(partly, 0, `${pattern} ${name}`)
      t.ok(Math.abs(zeros(tensor) / tensor.data.length - 0.5) <= size / tensor.data.length + 1e-9)
    }
  }
})

t.test('re-fitting what stays keeps the answers closer', async (t) => {
  const graph = smallDetector(seededRandom(6))
  const image = randomImage(seededRandom(60), 32)
  const wanted = await runOnce(graph, image)
  const difference = async (plan: SparsityPlanInput): Promise<number> =>
    largestDifference(wanted, await runOnce((await sparsify(graph, plan, ports)).graph, image))
  const random = await difference({ sparsity: 0.5, criterion: 'random' })
  const plain = await difference({ sparsity: 0.5, criterion: 'l1' })
  const fitted = await difference({ sparsity: 0.5, criterion: 'reconstruction' })
  t.ok(plain < random, `${plain} < ${random}`)
  t.ok(fitted < plain, `${fitted} < ${plain}`)
})

t.test('gradients decide where they are given', async (t) => {
  const graph = smallDetector(seededRandom(7))
  const gradients: GradientSource = {
    // Only odd places matter.
    visitGradients: (of, weights, visit) => {
      visit(
        new Map(
          weights.map((name) => [
            name,
            Float32Array.from({ length: of.initializers.get(name)!.data.length }, (_, at) => at % 2),
          ]),
        ),
      )
      return Promise.resolve()
    },
  }
  const { graph: sparse } = await sparsify(graph, { sparsity: 0.5, criterion: 'gradient' }, { gradients })
  for (const [name, tensor] of weightsOf(sparse)) {
    const wrong = tensor.data.filter((value, at) => (value === 0) !== (at % 2 === 0)).length
    t.ok(wrong <= 1, name)
  }
})

t.test('plans that cannot be done are refused', async (t) => {
  const graph = smallDetector(seededRandom(8))
  const refusals: [unknown, RegExp][] = [
    [{ sparsity: 1 }, /sparsity 1, expected <1/],
    [{ pattern: '4:2' }, /the pattern 4:2 is not possible/],
    [{ pattern: 'stripes' }, /pattern/],
    [{ threshold: -1 }, /threshold/],
    [{ criterion: 'gradient' }, /needs the gradients of the weights/],
    [{ criterion: 'reconstruction' }, /needs calibration samples/],
    [{ criterion: 'reconstruction', pattern: '2:4' }, /works on the pattern unstructured, got 2:4/],
    [{ exclude: ['conv'] }, /found no convolution with float32 weights/],
  ]
  for (const [plan, message] of refusals)
    await t.rejects(sparsify(graph, plan as SparsityPlanInput, {}), {
      code: 'compress.plan_invalid',
      message,
    })
})
