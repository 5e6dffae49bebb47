import t from 'tap'
import { toEdgeForm } from '../../src/compress/edge-form.js'
import { importModel } from '../../src/onnx/import-model.js'
import { shapesOf } from '../../src/onnx/shapes/infer-shapes.js'
import { describeModel } from '../../src/yolo/model-description.js'
import { neckValues } from '../../src/yolo/neck-values.js'
import { exportNames, readExport } from '../helpers/exports.js'
import { op, tinyGraph, value } from '../helpers/tiny-graph.js'

for (const name of exportNames.filter((each) => !each.includes('batch'))) {
  t.test(`the feature maps of ${name} lie before both branches of their level`, (t) => {
    const graph = toEdgeForm(importModel(readExport(name)))
    const { output, inputWidth, inputHeight } = describeModel(graph)
    if (output.kind !== 'heads') throw new TypeError('an edge form ends at its heads')
    const shapes = shapesOf(graph)
    for (const [index, found] of neckValues(graph, output.levels).entries()) {
      const { stride } = output.levels[index]!
      const [, channels, rows, columns] = shapes.staticShapeOf(found)!
      t.same([columns, rows], [inputWidth / stride, inputHeight / stride])
      // Branches have 64 or as many channels as classes at the end; the neck is what the first convolutions of both read.
      const readers = graph.nodes.filter(({ inputs, opType }) => inputs.includes(found) && opType === 'Conv')
      t.ok(readers.length >= 2 && channels! > 0, `${found} is read by both branches`)
    }
    t.end()
  })
}

t.test('branches of different feature maps are refused', (t) => {
  const graph = tinyGraph({
    inputs: [value('a', 1, 4, 8, 8), value('b', 1, 4, 8, 8)],
    nodes: [op('Sigmoid', ['a'], ['box']), op('Sigmoid', ['b'], ['cls'])],
    outputs: [value('box', 1, 4, 8, 8), value('cls', 1, 4, 8, 8)],
  })
  t.throws(() => neckValues(graph, [{ box: 'box', cls: 'cls' }]), { code: 'model.not_yolov8' })
  t.end()
})
