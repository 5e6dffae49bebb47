import t from 'tap'
import { importModel } from '../../src/onnx/import-model.js'
import {
  classesOfEnding,
  distanceBins,
  headEndingOf,
  isDistanceMean,
  nodesBehind,
} from '../../src/yolo/head-ending.js'
import { withFinalBoxes, withFurtherBranch } from '../helpers/export-forms.js'
import { exportNames, readExport } from '../helpers/exports.js'

t.test('real exports end with as many branches of boxes as of classes', (t) => {
  for (const name of exportNames) {
    const graph = importModel(readExport(name))
    const ending = headEndingOf(graph)
    t.equal(ending.channels.length, 6, name)
    t.equal(ending.channels.filter((count) => count === 4 * distanceBins).length, 3, name)
    t.equal(ending.selection, undefined, name)
    t.equal(typeof classesOfEnding(ending), 'number', name)
    t.equal(graph.nodes.filter((node) => isDistanceMean(graph, node)).length <= 1, true, name)
  }
  t.end()
})

t.test('a selection of boxes behind the head is seen, and the head behind it', (t) => {
  const graph = importModel(readExport('newest'))
  const final = headEndingOf(withFinalBoxes(graph, 10))
  t.equal(final.selection, 'TopK')
  t.same(final.channels, headEndingOf(graph).channels)
  t.equal(headEndingOf(withFurtherBranch(graph, 51)).channels.length, 9)
  t.end()
})

t.test('what the channels of the last convolutions tell', (t) => {
  const told = (channels: readonly number[], expected?: number): number | string | undefined =>
    classesOfEnding({ channels, selection: undefined }, expected)
  t.equal(told([64, 80, 64, 80, 64, 80]), 80)
  t.equal(told([64, 64, 64, 64]), 64)
  t.equal(told([4, 80, 4, 80, 4, 80]), 80)
  t.equal(told([4, 64, 4, 64, 4, 64], 64), 64)
  t.equal(told([4, 64, 4, 64, 4, 64], 4), 4)
  t.equal(told([64]), undefined)
  t.match(told([64, 1, 51, 64, 1, 51]), /outlines, poses or turned boxes/)
  t.match(told([64, 1, 1, 64, 1, 1]), /as many branches/)
  t.match(told([4, 1, 80, 4, 1, 80]), /another family/)
  t.match(told([255, 255, 255]), /another family/)
  t.end()
})

t.test('the walk stops where it is told to, and at sizes', (t) => {
  const graph = importModel(readExport('opset20-raw-dynamic'))
  const nodes = [...nodesBehind(graph, ({ opType }) => opType === 'Concat')]
  t.ok(nodes.length > 0 && nodes.length < graph.nodes.length)
  t.equal(new Set(nodes).size, nodes.length)
  t.end()
})
