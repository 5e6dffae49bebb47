import t from 'tap'
import { seededRandom } from '../../../src/base/random.js'
import { exportModel } from '../../../src/onnx/export-model.js'
import { requireValidGraph } from '../../../src/onnx/check-graph.js'
import type { Graph, Node } from '../../../src/onnx/graph.js'
import { elementCount, floatTensor, int64Tensor, type Tensor } from '../../../src/onnx/tensor.js'
import { differentiate, gradientName, seedName } from '../../../src/training/gradient/differentiate.js'
import { gradientRules } from '../../../src/training/gradient/rules.js'
import { trainingForm } from '../../../src/training/gradient/training-form.js'
import { type DoubleTensor, runDouble } from '../../helpers/double-graph.js'
import { runOnnx } from '../../helpers/run-onnx.js'
import { op, tinyGraph, value } from '../../helpers/tiny-graph.js'

interface Example {
  readonly about: string
  readonly nodes: readonly Node[]
  /** Shapes of the inputs, all of which are differentiated. */
  readonly inputs: Readonly<Record<string, readonly number[]>>
  /** Shapes of the outputs. */
  readonly outputs: Readonly<Record<string, readonly number[]>>
  readonly constants?: Readonly<Record<string, Tensor>>
  /** Inputs stay positive and away from zero: for roots and divisors. */
  readonly positive?: boolean
}

const ints = (...values: readonly number[]): Tensor => int64Tensor([values.length], values)
const x = { x: [2, 3, 4, 5] } as const
const y = { y: [2, 3, 4, 5] } as const

const examples: readonly Example[] = [
  {
    about: 'a 3x3 convolution of stride 1',
    nodes: [op('Conv', ['x', 'w', 'b'], ['y'], { pads: [1, 1, 1, 1], kernel_shape: [3, 3] })],
    inputs: { ...x, w: [4, 3, 3, 3], b: [4] },
    outputs: { y: [2, 4, 4, 5] },
  },
  {
    about: 'a 3x3 convolution of stride 2 that leaves a row over',
    nodes: [op('Conv', ['x', 'w'], ['y'], { pads: [1, 1, 1, 1], strides: [2, 2], kernel_shape: [3, 3] })],
    inputs: { x: [2, 3, 6, 5], w: [4, 3, 3, 3] },
    outputs: { y: [2, 4, 3, 3] },
  },
  {
    about: 'a 1x1 convolution',
    nodes: [op('Conv', ['x', 'w', 'b'], ['y'])],
    inputs: { ...x, w: [2, 3, 1, 1], b: [2] },
    outputs: { y: [2, 2, 4, 5] },
  },
  {
    about: 'a convolution with unequal pads and a kernel that is not square',
    nodes: [op('Conv', ['x', 'w'], ['y'], { pads: [0, 1, 2, 0], strides: [2, 1], kernel_shape: [3, 2] })],
    inputs: { x: [1, 2, 5, 4], w: [3, 2, 3, 2] },
    outputs: { y: [1, 3, 3, 4] },
  },
  {
    about: 'a depthwise convolution',
    nodes: [op('Conv', ['x', 'w', 'b'], ['y'], { group: 3, pads: [1, 1, 1, 1], kernel_shape: [3, 3] })],
    inputs: { ...x, w: [3, 1, 3, 3], b: [3] },
    outputs: { y: [2, 3, 4, 5] },
  },
  {
    about: 'a depthwise convolution of stride 2',
    nodes: [
      op('Conv', ['x', 'w'], ['y'], { group: 3, pads: [1, 1, 1, 1], strides: [2, 2], kernel_shape: [3, 3] }),
    ],
    inputs: { x: [2, 3, 6, 5], w: [3, 1, 3, 3] },
    outputs: { y: [2, 3, 3, 3] },
  },
  {
    about: 'a transposed convolution',
    nodes: [
      op('ConvTranspose', ['x', 'w', 'b'], ['y'], {
        pads: [1, 1, 1, 1],
        strides: [2, 2],
        output_padding: [1, 0],
      }),
    ],
    inputs: { x: [2, 3, 3, 2], w: [3, 2, 3, 3], b: [2] },
    outputs: { y: [2, 2, 6, 3] },
  },
  {
    about: 'batch norm with the statistics of the batch',
    nodes: [op('BatchNormalization', ['x', 'gamma', 'beta', 'mean', 'variance'], ['y'])],
    inputs: { ...x, gamma: [3], beta: [3] },
    outputs: y,
    constants: { mean: floatTensor([3], [0, 0, 0]), variance: floatTensor([3], [1, 1, 1]) },
  },
  {
    about: 'SiLU: a value times its own sigmoid',
    nodes: [op('Sigmoid', ['x'], ['s']), op('Mul', ['x', 's'], ['y'])],
    inputs: x,
    outputs: y,
  },
  { about: 'a sigmoid', nodes: [op('Sigmoid', ['x'], ['y'])], inputs: x, outputs: y },
  { about: 'a square', nodes: [op('Mul', ['x', 'x'], ['y'])], inputs: x, outputs: y },
  ...['Add', 'Sub', 'Mul', 'Div'].flatMap((opType): Example[] => [
    {
      about: `${opType} of equal shapes`,
      nodes: [op(opType, ['x', 'b'], ['y'])],
      inputs: { ...x, b: [2, 3, 4, 5] },
      outputs: y,
      positive: opType === 'Div',
    },
    {
      about: `${opType} with a vector that is broadcast`,
      nodes: [op(opType, ['b', 'x'], ['y'])],
      inputs: { ...x, b: [3, 1, 5] },
      outputs: y,
      positive: opType === 'Div',
    },
  ]),
  { about: 'a negation', nodes: [op('Neg', ['x'], ['y'])], inputs: x, outputs: y },
  { about: 'a root', nodes: [op('Sqrt', ['x'], ['y'])], inputs: x, outputs: y, positive: true },
  { about: 'a rectifier', nodes: [op('Relu', ['x'], ['y'])], inputs: x, outputs: y },
  { about: 'a copy', nodes: [op('Identity', ['x'], ['y'])], inputs: x, outputs: y },
  {
    about: 'a concatenation',
    nodes: [op('Concat', ['x', 'b'], ['y'], { axis: 1 })],
    inputs: { ...x, b: [2, 2, 4, 5] },
    outputs: { y: [2, 5, 4, 5] },
  },
  {
    about: 'a split of which one part is not used',
    nodes: [op('Split', ['x', 'sizes'], ['a', 'b', 'c'], { axis: 1 }), op('Mul', ['a', 'c'], ['y'])],
    inputs: { x: [2, 5, 2, 3] },
    outputs: { y: [2, 2, 2, 3] },
    constants: { sizes: ints(2, 1, 2) },
  },
  {
    about: 'a slice',
    nodes: [op('Slice', ['x', 'from', 'to', 'axes'], ['y'])],
    inputs: x,
    outputs: { y: [2, 3, 2, 3] },
    constants: { from: ints(1, -4), to: ints(3, 4), axes: ints(2, 3) },
  },
  {
    about: 'three poolings in a row, whose windows overlap',
    nodes: ['x', 'a', 'b'].map((from, index) =>
      op('MaxPool', [from], [['a', 'b', 'y'][index]!], {
        kernel_shape: [5, 5],
        pads: [2, 2, 2, 2],
        strides: [1, 1],
      }),
    ),
    inputs: { x: [2, 2, 6, 5] },
    outputs: { y: [2, 2, 6, 5] },
  },
  {
    about: 'means of overlapping windows, without padding and with',
    nodes: [
      op('AveragePool', ['x'], ['a'], { kernel_shape: [2, 3] }),
      op('AveragePool', ['a'], ['y'], {
        kernel_shape: [3, 2],
        pads: [1, 0, 2, 1],
        strides: [1, 1],
        count_include_pad: 1,
      }),
    ],
    inputs: { x: [2, 2, 6, 5] },
    outputs: { y: [2, 2, 6, 3] },
  },
  {
    about: 'an enlargement to the nearest value',
    nodes: [
      op('Resize', ['x', '', 'scales'], ['y'], {
        mode: 'nearest',
        coordinate_transformation_mode: 'asymmetric',
        nearest_mode: 'floor',
      }),
    ],
    inputs: x,
    outputs: { y: [2, 3, 8, 10] },
    constants: { scales: floatTensor([4], [1, 1, 2, 2]) },
  },
  {
    about: 'a reshape',
    nodes: [op('Reshape', ['x', 'shape'], ['y'])],
    inputs: x,
    outputs: { y: [2, 60] },
    constants: { shape: ints(2, -1) },
  },
  {
    about: 'a transposition',
    nodes: [op('Transpose', ['x'], ['y'], { perm: [2, 0, 3, 1] })],
    inputs: x,
    outputs: { y: [4, 2, 5, 3] },
  },
  {
    about: 'a matrix product with a broadcast operand',
    nodes: [op('MatMul', ['x', 'b'], ['y'])],
    inputs: { ...x, b: [5, 2] },
    outputs: { y: [2, 3, 4, 2] },
  },
  {
    about: 'a softmax over an inner axis',
    nodes: [op('Softmax', ['x'], ['y'], { axis: 1 })],
    inputs: x,
    outputs: y,
  },
  {
    about: 'a sum over axes that go',
    nodes: [op('ReduceSum', ['x', 'axes'], ['y'], { keepdims: 0 })],
    inputs: x,
    outputs: { y: [2, 4] },
    constants: { axes: ints(1, 3) },
  },
  {
    about: 'a mean over axes that stay',
    nodes: [op('ReduceMean', ['x'], ['y'], { axes: [2, 3] })],
    inputs: x,
    outputs: { y: [2, 3, 1, 1] },
  },
  {
    about: 'a quantiser and its inverse, inside and outside of its range',
    nodes: [
      op('QuantizeLinear', ['x', 'scale', 'zero'], ['q']),
      op('DequantizeLinear', ['q', 'scale', 'zero'], ['d']),
      op('Mul', ['d', 'scale'], ['y']),
    ],
    inputs: x,
    outputs: y,
    constants: {
      scale: floatTensor([], [0.0061]),
      zero: { type: 'uint8', dims: [], data: Uint8Array.of(128) },
    },
  },
  {
    about: 'a value with three readers',
    nodes: [
      op('Sigmoid', ['x'], ['a']),
      op('Neg', ['x'], ['b']),
      op('Mul', ['a', 'b'], ['c']),
      op('Add', ['c', 'x'], ['y']),
    ],
    inputs: x,
    outputs: y,
  },
]

const random = seededRandom(11)

function randomInput(dims: readonly number[], positive: boolean): DoubleTensor {
  const data = Float64Array.from({ length: elementCount(dims) }, () => {
    const size = positive ? 0.5 + random.next() : random.normal()
    // Representable in both precisions, and away from the kink of a rectifier.
    return Math.fround(Math.abs(size) < 0.02 ? 0.02 : size)
  })
  return { dims, data }
}

function graphOf({ nodes, inputs, outputs, constants = {} }: Example): Graph {
  return tinyGraph({
    nodes,
    inputs: Object.entries(inputs).map(([name, dims]) => value(name, ...dims)),
    outputs: Object.entries(outputs).map(([name, dims]) => value(name, ...dims)),
    initializers: constants,
  })
}

function single(tensor: DoubleTensor): Tensor {
  return floatTensor(tensor.dims, Float32Array.from(tensor.data))
}

/** Derivative of sum(seed * outputs) by each element of `name`, by central differences in double precision. */
function numericGradient(
  graph: Graph,
  feeds: ReadonlyMap<string, DoubleTensor>,
  seeds: ReadonlyMap<string, DoubleTensor>,
  name: string,
): Float64Array {
  const { dims, data } = feeds.get(name)!
  const step = 1e-5
  const loss = (at: number, change: number): number => {
    const moved = Float64Array.from(data)
    moved[at]! += change
    let sum = 0
    for (const [output, tensor] of runDouble(graph, new Map([...feeds, [name, { dims, data: moved }]]))) {
      const seed = seeds.get(output)!.data
      tensor.data.forEach((each, index) => (sum += each * seed[index]!))
    }
    return sum
  }
  return data.map((_, at) => (loss(at, step) - loss(at, -step)) / (2 * step))
}

for (const example of examples) {
  t.test(`the gradient of ${example.about} is that of double precision`, async (t) => {
    const graph = graphOf(example)
    const names = Object.keys(example.inputs)
    const feeds = new Map(
      names.map((name) => [name, randomInput(example.inputs[name]!, example.positive ?? false)]),
    )
    const seeds = new Map(
      Object.entries(example.outputs).map(([name, dims]) => [name, randomInput(dims, false)]),
    )
    const backward = differentiate(trainingForm(graph).graph, names)
    requireValidGraph(backward)
    const given = [...feeds, ...[...seeds].map(([name, seed]) => [seedName(name), seed] as const)]
      .filter(([name]) => backward.inputs.some((input) => input.name === name))
      .map(([name, tensor]) => [name, single(tensor)] as const)
    const found = await runOnnx(exportModel(backward), Object.fromEntries(given))
    for (const name of names) {
      const expected = numericGradient(graph, feeds, seeds, name)
      const gradient = found.get(gradientName(name))!
      t.same([...gradient.dims], [...example.inputs[name]!])
      const largest = expected.reduce((most, each) => Math.max(most, Math.abs(each)), 0)
      const error = expected.reduce(
        (most, each, index) => Math.max(most, Math.abs(each - Number(gradient.data[index]))),
        0,
      )
      t.ok(largest > 1e-3, `${name} has a gradient`)
      t.ok(error < 1e-4 * largest, `${name}: ${error / largest}`)
    }
  })
}

t.test('every rule has an example', (t) => {
  const shown = new Set(
    examples.flatMap((example) => trainingForm(graphOf(example)).graph.nodes).map((node) => node.opType),
  )
  const likeReshape = ['Flatten', 'Squeeze', 'Unsqueeze']
  for (const opType of gradientRules.keys())
    if (!likeReshape.includes(opType)) t.ok(shown.has(opType), opType)
  t.end()
})

t.test('an operator without a rule is refused by name', (t) => {
  const graph = tinyGraph({
    nodes: [op('Erf', ['x'], ['y'])],
    inputs: [value('x', 2)],
    outputs: [value('y', 2)],
  })
  t.throws(() => differentiate(graph, ['x']), { code: 'model.op_unsupported', message: /Erf of node y/ })
  t.end()
})

t.test('a value that no output depends on has a gradient of zeros', async (t) => {
  const graph = tinyGraph({
    nodes: [op('Neg', ['x'], ['y']), op('Neg', ['unused'], ['z'])],
    inputs: [value('x', 2), value('unused', 3)],
    outputs: [value('y', 2)],
  })
  const backward = differentiate(graph, ['unused'])
  const found = await runOnnx(exportModel(backward), {})
  t.same([...(found.get(gradientName('unused'))!.data as Float32Array)], [0, 0, 0])
})
