import t from 'tap'
import { isAgentError } from '../../../src/base/errors.js'
import { exportModel } from '../../../src/onnx/export-model.js'
import { type Graph, makeNode, type ValueInfo } from '../../../src/onnx/graph.js'
import { importModel } from '../../../src/onnx/import-model.js'
import { shapesOf } from '../../../src/onnx/shapes/infer-shapes.js'
import { elementCount, floatTensor, int64Tensor, type Tensor } from '../../../src/onnx/tensor.js'
import { exportNames, readExport } from '../../helpers/exports.js'
import { runOnnx } from '../../helpers/run-onnx.js'
import { op, tinyGraph, value, waves } from '../../helpers/tiny-graph.js'

/** The same graph with every inner value of known type as an output. */
function withAllOutputs(graph: Graph): Graph {
  const shapes = shapesOf(graph)
  const outputs = new Map(graph.outputs.map((output): [string, ValueInfo] => [output.name, output]))
  for (const name of graph.nodes.flatMap((node) => node.outputs)) {
    const type = shapes.typeOf(name)
    if (name !== '' && type?.shape !== undefined)
      outputs.set(name, { name, type: type.type, shape: type.shape })
  }
  return { ...graph, outputs: [...outputs.values()] }
}

function feedsOf(graph: Graph): Record<string, Tensor> {
  return Object.fromEntries(
    graph.inputs.map(({ name, shape }) => {
      const dims = shape.map((dim, axis) => (typeof dim === 'number' ? dim : ([1, 3, 64, 64][axis] ?? 1)))
      return [name, floatTensor(dims, waves(elementCount(dims)))]
    }),
  )
}

for (const name of exportNames) {
  t.test(`every value of ${name} has the type and shape that ONNX Runtime gives it`, async (t) => {
    const graph = importModel(readExport(name))
    const shapes = shapesOf(graph)
    t.strictSame(shapes.withoutRule, [])
    const probe = withAllOutputs(graph)
    const isDynamic = graph.inputs[0]!.shape.some((dim) => typeof dim !== 'number')
    const results = await runOnnx(exportModel(probe), feedsOf(graph), { optimise: false })
    let unknown = 0
    for (const [value, result] of results) {
      const type = shapes.typeOf(value)!
      t.equal(type.type, result.type, `${value} type`)
      t.equal(type.shape!.length, result.dims.length, `${value} rank`)
      type.shape!.forEach((dim, axis) => {
        if (typeof dim === 'number') t.equal(dim, result.dims[axis], `${value} axis ${axis}`)
        else unknown++
      })
    }
    t.ok(results.size >= graph.nodes.length, 'all nodes were compared')
    if (!isDynamic) t.equal(unknown, 0, 'all sizes are known')
    t.end()
  })
}

t.test('rules agree with ONNX Runtime on single operators', async (t) => {
  const x = floatTensor([2, 3, 6, 8], waves(2 * 3 * 6 * 8))
  const w = floatTensor([4, 3, 3, 3], waves(108))
  const up = floatTensor([3, 5, 2, 2], waves(60))
  const ints = (...values: number[]): Tensor => int64Tensor([values.length], values)
  const cases: [string, Graph['nodes'][number], Readonly<Record<string, Tensor>>][] = [
    ['Conv SAME_UPPER', op('Conv', ['x', 'w'], ['y'], { auto_pad: 'SAME_UPPER', strides: [2, 2] }), { w }],
    ['Conv dilated', op('Conv', ['x', 'w'], ['y'], { dilations: [2, 2], pads: [2, 1, 0, 3] }), { w }],
    [
      'ConvTranspose',
      op('ConvTranspose', ['x', 'up'], ['y'], { strides: [2, 3], output_padding: [0, 1] }),
      { up },
    ],
    [
      'AveragePool ceil',
      op('AveragePool', ['x'], ['y'], {
        kernel_shape: [3, 3],
        strides: [2, 2],
        ceil_mode: 1,
        pads: [0, 0, 1, 1],
      }),
      {},
    ],
    ['GlobalAveragePool', op('GlobalAveragePool', ['x'], ['y']), {}],
    [
      'Slice backwards',
      op('Slice', ['x', 's', 'e', 'a', 'd'], ['y']),
      { s: ints(-1), e: ints(-100), a: ints(3), d: ints(-3) },
    ],
    ['Slice to the end', op('Slice', ['x', 's', 'e'], ['y']), { s: ints(1, 1), e: ints(2 ** 40, -1) }],
    ['Split in unequal parts', op('Split', ['x', 'p'], ['y', 'z'], { axis: -1 }), { p: ints(3, 5) }],
    ['Pad', op('Pad', ['x', 'p'], ['y']), { p: ints(0, 0, 1, 2, 0, 1, 0, 3) }],
    ['Tile', op('Tile', ['x', 'p'], ['y']), { p: ints(1, 2, 1, 3) }],
    ['Gather', op('Gather', ['x', 'i'], ['y'], { axis: 2 }), { i: int64Tensor([2, 2], [0, 1, 5, -1]) }],
    ['Unsqueeze', op('Unsqueeze', ['x', 'a'], ['y']), { a: ints(0, -1) }],
    ['Flatten', op('Flatten', ['x'], ['y'], { axis: -2 }), {}],
    ['Expand', op('Expand', ['x', 's'], ['y']), { s: ints(5, 1, 1, 1, 1) }],
    ['ReduceMean', op('ReduceMean', ['x'], ['y'], { axes: [1, -1], keepdims: 0 }), {}],
    ['ReduceSum', op('ReduceSum', ['x', 'a'], ['y']), { a: ints(2) }],
    ['ArgMax', op('ArgMax', ['x'], ['y'], { axis: 1, keepdims: 0 }), {}],
    ['TopK', op('TopK', ['x', 'k'], ['y', 'z'], { axis: 2 }), { k: ints(4) }],
    ['MatMul with a vector', op('MatMul', ['x', 'v'], ['y']), { v: floatTensor([8], waves(8)) }],
    ['MatMul', op('MatMul', ['x', 'v'], ['y']), { v: floatTensor([3, 8, 5], waves(120)) }],
    [
      'Resize',
      op('Resize', ['x', '', 's'], ['y'], { mode: 'nearest' }),
      { s: floatTensor([4], [1, 1, 2.5, 1.5]) },
    ],
    ['DepthToSpace', op('SpaceToDepth', ['x'], ['y'], { blocksize: 2 }), {}],
    ['DynamicQuantizeLinear', op('DynamicQuantizeLinear', ['x'], ['y', 's', 'z']), {}],
    [
      'Where',
      op('Where', ['c', 'x', 'v'], ['y']),
      { c: { type: 'bool', dims: [1], data: Uint8Array.of(1) }, v: floatTensor([], [2]) },
    ],
    ['Transpose', op('Transpose', ['x'], ['y']), {}],
  ]
  for (const [title, node, initializers] of cases) {
    const graph = tinyGraph({
      inputs: [value('x', 2, 3, 6, 8)],
      nodes: [node],
      outputs: [value('y')],
      initializers,
    })
    const results = await runOnnx(exportModel(withAllOutputs({ ...graph, outputs: [] })), { x })
    for (const [name, result] of results) {
      t.strictSame(
        shapesOf(graph).typeOf(name),
        { type: result.type, shape: result.dims },
        `${title}: ${name}`,
      )
    }
  }
})

t.test("rules of ONNX Runtime's own operators with the channels last agree with it", async (t) => {
  const ints = (value: readonly number[]) => ({ kind: 'ints' as const, value })
  const pixels: Tensor = { type: 'uint8', dims: [2, 6, 8, 3], data: new Uint8Array(2 * 6 * 8 * 3).fill(9) }
  const convolution = makeNode('QLinearConv', 'conv', ['x', 's', 'z', 'w', 's', 'zw', 's', 'z'], ['y'], {
    domain: 'com.microsoft',
    attributes: {
      channels_last: { kind: 'int', value: 1 },
      kernel_shape: ints([3, 3]),
      strides: ints([2, 2]),
      pads: ints([1, 1, 1, 1]),
    },
  })
  const pool = makeNode('NhwcMaxPool', 'pool', ['y'], ['p'], {
    domain: 'com.microsoft',
    attributes: { kernel_shape: ints([2, 2]), pads: ints([0, 0, 1, 1]) },
  })
  const graph: Graph = {
    ...tinyGraph({
      inputs: [{ name: 'x', type: 'uint8', shape: [2, 6, 8, 3] }],
      nodes: [op('Identity', ['x'], ['same'])],
      outputs: [{ name: 'same', type: 'uint8', shape: [2, 6, 8, 3] }],
      initializers: {
        s: floatTensor([], [0.1]),
        z: { type: 'uint8', dims: [], data: Uint8Array.of(3) },
        zw: { type: 'int8', dims: [], data: Int8Array.of(0) },
        w: { type: 'int8', dims: [5, 3, 3, 3], data: new Int8Array(135).fill(2) },
      },
    }),
    nodes: [convolution, pool],
    outputs: [],
    opsets: new Map([
      ['', 17],
      ['com.microsoft', 1],
    ]),
  }
  const results = await runOnnx(exportModel(withAllOutputs(graph)), { x: pixels })
  for (const [name, result] of results)
    t.strictSame(shapesOf(graph).typeOf(name), { type: result.type, shape: result.dims }, name)
})

t.test('inputs that contradict each other are refused with the name of the node', (t) => {
  const w = floatTensor([4, 5, 3, 3], waves(180))
  const graph = tinyGraph({
    inputs: [value('x', 1, 3, 8, 8)],
    nodes: [op('Conv', ['x', 'w'], ['y'])],
    outputs: [value('y', 1, 4, 6, 6)],
    initializers: { w },
  })
  t.throws(() => shapesOf(graph), { code: 'model.graph_invalid', message: /node y \(Conv\).*3 channels.*5/ })
  t.end()
})

t.test('an operator without a rule is listed and leaves its outputs unknown', (t) => {
  const graph = tinyGraph({
    inputs: [value('x', 1, 3)],
    nodes: [op('Hardmax2000', ['x'], ['h']), op('Relu', ['h'], ['y'])],
    outputs: [value('y', 1, 3)],
  })
  t.strictSame(shapesOf(graph).withoutRule, ['Hardmax2000'])
  t.equal(shapesOf(graph).typeOf('y'), undefined)
  t.end()
})

t.test('no attribute makes inference do anything but answer or refuse', (t) => {
  const hostile = [-(2 ** 40), -1, 0, 1, 2 ** 40]
  for (const size of hostile) {
    for (const node of [
      op('Conv', ['x', 'w'], ['y'], { strides: [size, size] }),
      op('MaxPool', ['x'], ['y'], { kernel_shape: [size, size] }),
      op('Transpose', ['x'], ['y'], { perm: [size, 0, 1, 2] }),
      op('Concat', ['x', 'x'], ['y'], { axis: size }),
      op('Flatten', ['x'], ['y'], { axis: size }),
      op('SpaceToDepth', ['x'], ['y'], { blocksize: size }),
      op('Reshape', ['x', 's'], ['y']),
    ]) {
      const graph = tinyGraph({
        inputs: [value('x', 1, 3, 8, 8)],
        nodes: [node],
        outputs: [value('y')],
        initializers: { w: floatTensor([4, 3, 3, 3], waves(108)), s: int64Tensor([3], [size, size, -1]) },
      })
      try {
        shapesOf(graph)
        t.pass(node.opType)
      } catch (thrown) {
        t.ok(isAgentError(thrown, 'model.graph_invalid'), `${node.opType} ${size}`)
      }
    }
  }
  t.end()
})
