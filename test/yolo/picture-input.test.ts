import t from 'tap'
import type { Dim, Graph, Node } from '../../src/onnx/graph.js'
import { type ElementType, floatTensor, type Tensor } from '../../src/onnx/tensor.js'
import { pictureInputOf } from '../../src/yolo/picture-input.js'
import { op, tinyGraph, value } from '../helpers/tiny-graph.js'

function network(
  input: { readonly shape: readonly Dim[]; readonly type?: ElementType },
  nodes: readonly Node[],
  constants: Readonly<Record<string, Tensor>> = {},
): Graph {
  const last = nodes.at(-1)?.outputs[0] ?? 'images'
  return tinyGraph({
    inputs: [{ name: 'images', type: input.type ?? 'float32', shape: input.shape }],
    nodes: [...nodes, op('Conv', [last, 'weight'], ['y'])],
    outputs: [value('y', 1, 1, 32, 32)],
    initializers: { weight: floatTensor([1, 3, 1, 1], [1, 1, 1]), ...constants },
  })
}

const planes: readonly Dim[] = [1, 3, 32, 32]
const pixels: readonly Dim[] = [1, 32, 32, 3]
const floats = op('Cast', ['images'], ['floats'], { to: 1 })
const first = op('Transpose', ['images'], ['first'], { perm: [0, 3, 1, 2] })

t.test('layout, range and the value behind the preparation', (t) => {
  const c255 = { c: floatTensor([], [255]) }
  const cases: readonly (readonly [string, Graph, object])[] = [
    [
      'an export',
      network({ shape: planes }, []),
      { layout: 'nchw-float', max: 1, planes: 'images', isUnit: true },
    ],
    [
      'divided by 255',
      network({ shape: planes }, [op('Div', ['images', 'c'], ['d'])], c255),
      { layout: 'nchw-float', max: 255, planes: 'd', isUnit: true },
    ],
    [
      'multiplied by a fraction of each channel',
      network({ shape: planes }, [op('Mul', ['c', 'images'], ['d'])], {
        c: floatTensor([1, 3, 1, 1], [1 / 255, 1 / 255, 1 / 255]),
      }),
      { layout: 'nchw-float', max: 255, planes: 'd' },
    ],
    [
      'floats, channels last',
      network({ shape: pixels }, [first]),
      { layout: 'nhwc-float', max: 1, planes: 'first' },
    ],
    [
      'bytes, channels last',
      network(
        { shape: pixels, type: 'uint8' },
        [floats, op('Div', ['floats', 'c'], ['d']), op('Transpose', ['d'], ['e'], { perm: [0, 3, 1, 2] })],
        c255,
      ),
      { layout: 'nhwc-uint8', max: 255, planes: 'e', isUnit: true },
    ],
    [
      'bytes, planes, never divided',
      network({ shape: planes, type: 'uint8' }, [floats]),
      { layout: 'nchw-uint8', max: 255, planes: 'floats', isUnit: false },
    ],
    ['dynamic', network({ shape: ['n', 3, 'h', 'w'] }, []), { layout: 'nchw-float' }],
    ['dynamic and transposed', network({ shape: ['n', 'h', 'w', 'c'] }, [first]), { layout: 'nhwc-float' }],
    [
      'dynamic bytes',
      network({ shape: ['n', 'h', 'w', 'c'], type: 'uint8' }, [floats]),
      { layout: 'nhwc-uint8' },
    ],
    [
      'another factor',
      network({ shape: planes }, [op('Mul', ['images', 'c'], ['d'])], { c: floatTensor([], [2]) }),
      { layout: 'nchw-float', max: 1, isUnit: false },
    ],
  ]
  for (const [what, graph, expected] of cases)
    t.match(pictureInputOf(graph, graph.inputs[0]!), expected, what)
  t.end()
})

t.test('what is no picture is refused', (t) => {
  const cases = [
    network({ shape: [1, 1, 32, 32] }, []),
    network({ shape: [1, 3, 32] }, []),
    network({ shape: planes, type: 'int64' }, [floats]),
    network({ shape: planes, type: 'float16' }, []),
  ]
  for (const graph of cases) {
    t.throws(() => pictureInputOf(graph, graph.inputs[0]!), {
      code: 'model.not_yolov8',
      hint: /export (it|a detector)/,
    })
  }
  t.end()
})
