import t from 'tap'
import { floatTensor, int64Tensor } from '../../src/onnx/tensor.js'
import { shapesOf } from '../../src/onnx/shapes/infer-shapes.js'
import { exportModel } from '../../src/onnx/export-model.js'
import { floatNetwork } from '../../src/training/float-network.js'
import { runOnnx } from '../helpers/run-onnx.js'
import { op, tinyGraph, value, waves } from '../helpers/tiny-graph.js'

/** An attention block as exports of YOLO11 and YOLO12 have it: its Reshapes write the one picture down. */
const block = tinyGraph({
  inputs: [value('images', 1, 3, 4, 4)],
  nodes: [
    op('Conv', ['images', 'w'], ['a']),
    op('Reshape', ['a', 'heads'], ['b']),
    op('Transpose', ['b'], ['c'], { perm: [0, 1, 3, 2] }),
    op('MatMul', ['c', 'b'], ['d']),
    op('Softmax', ['d'], ['e'], { axis: -1 }),
    op('MatMul', ['b', 'e'], ['f']),
    op('Reshape', ['f', 'areas'], ['g']),
    op('Reshape', ['g', 'map'], ['y']),
  ],
  outputs: [value('y', 1, 4, 4, 4)],
  initializers: {
    w: floatTensor([4, 3, 1, 1], waves(12)),
    heads: int64Tensor([4], [1, 2, 2, 16]),
    areas: int64Tensor([3], [4, 4, -1]),
    map: int64Tensor([4], [1, 4, 4, 4]),
  },
})

t.test('each picture of a batch goes through attention as it does alone', async (t) => {
  const shape = { batch: 3, classCount: 1, inputWidth: 4, inputHeight: 4, levels: [] }
  const network = floatNetwork(block, shape)
  t.same(shapesOf(network).staticShapeOf('y'), [3, 4, 4, 4])
  const pixels = waves(3 * 48)
  const together = (await runOnnx(exportModel(network), { images: floatTensor([3, 3, 4, 4], pixels) })).get(
    'y',
  )!
  for (let picture = 0; picture < 3; picture++) {
    const own = pixels.slice(48 * picture, 48 * (picture + 1))
    const alone = (await runOnnx(exportModel(block), { images: floatTensor([1, 3, 4, 4], own) })).get('y')!
    t.same(Array.from(together.data as Float32Array).slice(64 * picture, 64 * (picture + 1)), [
      ...(alone.data as Float32Array),
    ])
  }
})
