import t, { type Test } from 'tap'
import { eliminateDeadNodes } from '../../../src/compress/passes/eliminate-dead-nodes.js'
import { eliminateIdentity } from '../../../src/compress/passes/eliminate-identity.js'
import { foldConstants } from '../../../src/compress/passes/fold-constants.js'
import { fuseBatchNorm } from '../../../src/compress/passes/fuse-batch-norm.js'
import { upgradeOpset } from '../../../src/compress/passes/upgrade-opset.js'
import { type Pass, runPasses } from '../../../src/compress/run-passes.js'
import { seededRandom } from '../../../src/base/random.js'
import { exportModel } from '../../../src/onnx/export-model.js'
import type { Graph } from '../../../src/onnx/graph.js'
import { opsetOf } from '../../../src/onnx/opset.js'
import { type FloatTensor, floatTensor, int64Tensor } from '../../../src/onnx/tensor.js'
import { maxDifference, runOnnx } from '../../helpers/run-onnx.js'
import { op, tinyGraph, value } from '../../helpers/tiny-graph.js'

const random = seededRandom(3)

function normal(...dims: readonly number[]): FloatTensor {
  const count = dims.reduce((product, dim) => product * dim, 1)
  return floatTensor(
    dims,
    Float32Array.from({ length: count }, () => random.normal()),
  )
}

/** Applies `pass` and compares both graphs in ONNX Runtime; returns the new one. */
async function same(t: Test, graph: Graph, pass: Pass, tolerance = 0): Promise<Graph> {
  const next = runPasses(graph, [pass])
  const feeds = Object.fromEntries(
    graph.inputs.map(({ name, shape }) => [
      name,
      normal(...shape.map((dim) => (typeof dim === 'number' ? dim : 2))),
    ]),
  )
  const before = await runOnnx(exportModel(graph), feeds, { optimise: false })
  const after = await runOnnx(exportModel(next), feeds, { optimise: false })
  for (const { name } of graph.outputs) {
    const difference = maxDifference(before.get(name), after.get(name))
    t.ok(difference <= tolerance, `${name} differs by ${difference}`)
  }
  return next
}

const types = (graph: Graph): readonly string[] => graph.nodes.map(({ opType }) => opType)

t.test('dead nodes go, with what only they need', async (t) => {
  const graph = tinyGraph({
    inputs: [value('x', 2)],
    nodes: [op('Relu', ['x'], ['y']), op('Neg', ['x'], ['a']), op('Abs', ['a'], ['b'])],
    outputs: [value('y', 2)],
  })
  t.same(types(await same(t, graph, eliminateDeadNodes)), ['Relu'])
})

t.test('chains of identities go; one that makes an output stays', async (t) => {
  const graph = tinyGraph({
    inputs: [value('x', 2, 2)],
    nodes: [
      op('Identity', ['x'], ['a']),
      op('Transpose', ['a'], ['b'], { perm: [0, 1] }),
      op('Dropout', ['b'], ['c']),
      op('Relu', ['c'], ['y']),
      op('Identity', ['y'], ['z']),
      op('Transpose', ['x'], ['turned'], { perm: [1, 0] }),
    ],
    outputs: [value('y', 2, 2), value('z', 2, 2), value('turned', 2, 2)],
  })
  t.same(types(await same(t, graph, eliminateIdentity)), ['Relu', 'Identity', 'Transpose'])
})

t.test('sizes that a graph computes of its own shapes become constants', async (t) => {
  const graph = tinyGraph({
    inputs: [value('x', 1, 2, 3, 4)],
    nodes: [
      op('Shape', ['x'], ['shape']),
      op('Slice', ['shape', 'zero', 'two'], ['head']),
      op('Concat', ['head', 'rest'], ['target'], { axis: 0 }),
      op('Reshape', ['x', 'target'], ['y']),
    ],
    outputs: [value('y', 1, 2, 12)],
    initializers: { zero: int64Tensor([1], [0]), two: int64Tensor([1], [2]), rest: int64Tensor([1], [12]) },
  })
  const folded = await same(t, graph, foldConstants)
  t.same(types(folded), ['Reshape'])
  t.same([...(folded.initializers.get('target')?.data ?? [])], [1n, 2n, 12n])
})

t.test('what depends on a free dimension is not folded', (t) => {
  const graph = tinyGraph({
    inputs: [value('x', 'batch', 3)],
    nodes: [op('Shape', ['x'], ['shape']), op('Reshape', ['x', 'shape'], ['y'])],
    outputs: [value('y', 'batch', 3)],
  })
  t.equal(foldConstants.patch(graph), undefined)
  t.end()
})

for (const hasBias of [true, false]) {
  t.test(`batch normalisation goes into a convolution ${hasBias ? 'with' : 'without'} bias`, async (t) => {
    const graph = tinyGraph({
      inputs: [value('x', 1, 3, 5, 5)],
      nodes: [
        op('Conv', hasBias ? ['x', 'w', 'b'] : ['x', 'w'], ['a']),
        op('BatchNormalization', ['a', 'gamma', 'beta', 'mean', 'variance'], ['y']),
      ],
      outputs: [value('y', 1, 4, 3, 3)],
      initializers: {
        w: normal(4, 3, 3, 3),
        ...(hasBias && { b: normal(4) }),
        gamma: normal(4),
        beta: normal(4),
        mean: normal(4),
        variance: floatTensor([4], [0.5, 1, 2, 0.01]),
      },
    })
    t.same(types(await same(t, graph, fuseBatchNorm, 1e-4)), ['Conv'])
  })
}

t.test('a convolution that somebody else reads keeps its batch normalisation', (t) => {
  const graph = tinyGraph({
    inputs: [value('x', 1, 1, 3, 3)],
    nodes: [op('Conv', ['x', 'w'], ['a']), op('BatchNormalization', ['a', 'v', 'v', 'v', 'v'], ['y'])],
    outputs: [value('y', 1, 1, 3, 3), value('a', 1, 1, 3, 3)],
    initializers: { w: normal(1, 1, 1, 1), v: floatTensor([1], [1]) },
  })
  t.equal(fuseBatchNorm.patch(graph), undefined)
  t.end()
})

t.test('operator set 11 becomes 17', async (t) => {
  const graph = tinyGraph({
    opset: 11,
    inputs: [value('x', 2, 6)],
    nodes: [
      op('Split', ['x'], ['a', 'b'], { axis: 1, split: [2, 4] }),
      op('Unsqueeze', ['a'], ['c'], { axes: [0] }),
      op('Softmax', ['b'], ['y'], { axis: 1 }),
      op('Squeeze', ['c'], ['z'], { axes: [0] }),
    ],
    outputs: [value('y', 2, 4), value('z', 2, 2)],
  })
  const upgraded = await same(t, graph, upgradeOpset)
  t.equal(opsetOf(upgraded), 17)
  t.equal(upgradeOpset.patch(upgraded), undefined)
})

t.test('what means something else in set 17 is refused by its node', (t) => {
  const softmax = tinyGraph({
    opset: 11,
    inputs: [value('x', 2, 3, 4)],
    nodes: [op('Softmax', ['x'], ['y'], { axis: 1 })],
    outputs: [value('y', 2, 3, 4)],
  })
  t.throws(() => runPasses(softmax, [upgradeOpset]), {
    code: 'model.op_unsupported',
    message: /node y \(Softmax\)/,
  })
  const unknown = tinyGraph({
    opset: 12,
    inputs: [value('x', 2)],
    nodes: [op('Celu', ['x'], ['y'])],
    outputs: [value('y', 2)],
  })
  t.throws(() => runPasses(unknown, [upgradeOpset]), { code: 'model.op_unsupported', message: /Celu/ })
  t.end()
})
