/**
 * Writes what exports have behind the head: distribution to distances (DFL), anchors, class probabilities.
 * Invariant: the result is `[N, 4 + classes, anchors]` with boxes as centre and size in input pixels.
 */

import { intAttribute, intsAttribute } from '../onnx/attributes.js'
import type { ValueInfo, ValueName } from '../onnx/graph.js'
import { floatTensor, int64Tensor } from '../onnx/tensor.js'
import type { NetworkLevel, NetworkWriter } from './network-writer.js'

const bins = 16

/** Writes the tail and describes its output, `output0`. */
export function writeDecodeTail(
  writer: NetworkWriter,
  levels: readonly NetworkLevel[],
  size: {
    readonly inputWidth: number
    readonly inputHeight: number
    readonly batch: number
    readonly classCount: number
  },
): ValueInfo {
  const at = '/model.22'
  const { batch, classCount } = size
  const ints = (name: string, values: readonly number[]): ValueName =>
    writer.constant(`${at}/ints/${name}`, int64Tensor([values.length], values))
  const on = (opType: string, inputs: readonly ValueName[], name: string, axis?: number): ValueName =>
    writer.op(opType, inputs, [`${at}/${name}`], axis === undefined ? {} : { axis: intAttribute(axis) })

  const flat = ints('flat', [batch, 4 * bins + classCount, -1])
  const perLevel = levels.map(({ box, cls }, index) =>
    on('Reshape', [on('Concat', [box.name, cls.name], `level_${index}`, 1), flat], `flat_${index}`),
  )
  const all = on('Concat', perLevel, 'all', 2)
  const parts = ['box_logits', 'cls_logits'].map((name) => `${at}/${name}`)
  writer.op('Split', [all, ints('split', [4 * bins, classCount])], parts, { axis: intAttribute(1) })

  const { points, strides, count } = anchorsOf(levels, size)
  const sides = on('Reshape', [parts[0]!, ints('sides', [batch, 4, bins, count])], 'dfl/sides')
  const shares = on(
    'Softmax',
    [writer.op('Transpose', [sides], [`${at}/dfl/last`], { perm: intsAttribute([0, 3, 1, 2]) })],
    'dfl/shares',
    3,
  )
  const first = writer.op('Transpose', [shares], [`${at}/dfl/first`], { perm: intsAttribute([0, 3, 2, 1]) })
  const expectation = writer.constant(
    'model.22.dfl.conv.weight',
    floatTensor(
      [1, bins, 1, 1],
      Float32Array.from({ length: bins }, (_, bin) => bin),
    ),
  )
  const mean = writer.op('Conv', [first, expectation], [`${at}/dfl/mean`], {
    kernel_shape: intsAttribute([1, 1]),
  })
  const distances = on('Reshape', [mean, ints('distances', [batch, 4, count])], 'distances')
  const slice = (from: number, to: number, name: string): ValueName =>
    on(
      'Slice',
      [distances, ints(`${name}/from`, [from]), ints(`${name}/to`, [to]), ints(`${name}/axis`, [1])],
      name,
    )

  const anchor = writer.constant(`${at}/anchors`, floatTensor([1, 2, count], points))
  const low = on('Sub', [anchor, slice(0, 2, 'before')], 'low')
  const high = on('Add', [anchor, slice(2, 4, 'behind')], 'high')
  const two = writer.constant(`${at}/two`, floatTensor([], [2]))
  const centre = on('Div', [on('Add', [low, high], 'twice_centre'), two], 'centre')
  const boxes = on('Concat', [centre, on('Sub', [high, low], 'extent')], 'cells', 1)
  const pixels = on(
    'Mul',
    [boxes, writer.constant(`${at}/strides`, floatTensor([1, count], strides))],
    'boxes',
  )
  const scores = on('Sigmoid', [parts[1]!], 'scores')
  writer.op('Concat', [pixels, scores], ['output0'], { axis: intAttribute(1) })
  return { name: 'output0', type: 'float32', shape: [batch, 4 + classCount, count] }
}

/** Centres of all cells in units of their stride, x before y, and the strides. */
function anchorsOf(
  levels: readonly NetworkLevel[],
  size: { readonly inputWidth: number; readonly inputHeight: number },
): { readonly points: Float32Array; readonly strides: Float32Array; readonly count: number } {
  const xs: number[] = []
  const ys: number[] = []
  const strides: number[] = []
  for (const { stride } of levels) {
    for (let y = 0; y < size.inputHeight / stride; y++) {
      for (let x = 0; x < size.inputWidth / stride; x++) {
        xs.push(x + 0.5)
        ys.push(y + 0.5)
        strides.push(stride)
      }
    }
  }
  return {
    points: Float32Array.from([...xs, ...ys]),
    strides: Float32Array.from(strides),
    count: strides.length,
  }
}
