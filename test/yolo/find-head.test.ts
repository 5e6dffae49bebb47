import t from 'tap'
import { readFileSync } from 'node:fs'
import type { Graph } from '../../src/onnx/graph.js'
import { importModel } from '../../src/onnx/import-model.js'
import { floatTensor } from '../../src/onnx/tensor.js'
import { findHead } from '../../src/yolo/find-head.js'
import { exportNames, readExport } from '../helpers/exports.js'
import { shared, skipWithout } from '../helpers/paths.js'
import { op, tinyGraph, value } from '../helpers/tiny-graph.js'

const classCounts: Readonly<Record<string, number>> = {
  newest: 3,
  'opset11-raw': 3,
  'opset12-slim': 80,
  'opset13-raw-dynamic': 2,
  'opset14-raw-batch2': 2,
  'opset17-slim': 1,
  'opset17-slim-dynamic': 4,
  'opset18-raw': 2,
  'opset20-raw-dynamic': 3,
}

for (const name of exportNames) {
  t.test(`the head of ${name} is found`, (t) => {
    const head = findHead(importModel(readExport(name)))
    t.equal(head.classCount, classCounts[name])
    t.strictSame(
      head.levels.map((level) => level.stride),
      [8, 16, 32],
    )
    for (const [index, { box, cls }] of head.levels.entries()) {
      // Real exports call their weights after the module: cv2 holds the box branches, cv3 the class branches.
      t.match(box.node.inputs[1], new RegExp(`cv2\\.${index}\\.2`))
      t.match(cls.node.inputs[1], new RegExp(`cv3\\.${index}\\.2`))
    }
    t.end()
  })
}

/** Six branches on a tiny backbone, joined by `tail`. */
function headGraph(classes: number, joined: 'concat' | 'swapped-outputs' | 'softmax'): Graph {
  const weights = (out: number, into: number) => floatTensor([out, into, 1, 1], new Float32Array(out * into))
  const nodes = [op('Conv', ['x', 'w8'], ['f0'], { strides: [8, 8] })]
  nodes.push(
    op('Conv', ['f0', 'w2'], ['f1'], { strides: [2, 2] }),
    op('Conv', ['f1', 'w2'], ['f2'], { strides: [2, 2] }),
  )
  const outputs = []
  for (const level of [0, 1, 2]) {
    nodes.push(
      op('Conv', [`f${level}`, 'cls'], [`c${level}`]),
      op('Conv', [`f${level}`, 'box'], [`b${level}`]),
    )
    if (joined === 'concat') {
      nodes.push(op('Concat', [`b${level}`, `c${level}`], [`o${level}`], { axis: 1 }))
      outputs.push(value(`o${level}`))
    } else if (joined === 'softmax') {
      nodes.push(
        op('Softmax', [`b${level}`], [`s${level}`], { axis: 1 }),
        op('Sigmoid', [`c${level}`], [`p${level}`]),
      )
      outputs.push(value(`p${level}`), value(`s${level}`))
    } else {
      outputs.push(value(`b${level}`), value(`c${level}`))
    }
  }
  return tinyGraph({
    inputs: [value('x', 1, 3, 64, 64)],
    nodes,
    outputs,
    initializers: { w8: weights(4, 3), w2: weights(4, 4), cls: weights(classes, 4), box: weights(64, 4) },
  })
}

t.test('with 64 classes the branches are told apart by what follows', (t) => {
  for (const joined of ['concat', 'softmax', 'swapped-outputs'] as const) {
    const { levels, classCount } = findHead(headGraph(64, joined))
    t.equal(classCount, 64)
    t.strictSame(
      levels.map((level) => [level.box.value, level.cls.value]),
      [
        ['b0', 'c0'],
        ['b1', 'c1'],
        ['b2', 'c2'],
      ],
      joined,
    )
  }
  t.end()
})

t.test('what is no YOLOv8 head is refused with the reason', (t) => {
  const one = tinyGraph({
    inputs: [value('x', 1, 3, 64, 64)],
    nodes: [op('Conv', ['x', 'w'], ['y'])],
    outputs: [value('y')],
    initializers: { w: floatTensor([4, 3, 1, 1], new Float32Array(12)) },
  })
  t.throws(() => findHead(one), { code: 'model.not_yolov8', message: /1 last convolutions, expected 6/ })
  const flat = tinyGraph({
    inputs: [value('x', 3)],
    nodes: [op('Relu', ['x'], ['y'])],
    outputs: [value('y')],
  })
  t.throws(() => findHead(flat), { code: 'model.not_yolov8' })
  const coarse = headGraph(5, 'concat')
  const wide = { ...coarse, inputs: [value('x', 1, 3, 64, 64)], initializers: new Map(coarse.initializers) }
  wide.initializers.set('box', floatTensor([48, 4, 1, 1], new Float32Array(192)))
  t.throws(() => findHead(wide), { code: 'model.not_yolov8', message: /5 and 48 channels, expected 64/ })
  t.end()
})

for (const name of [
  'yolov8n.onnx',
  'peers/yolov8n_qdq_all_u8s8_640.onnx',
  'peers/yolov8n_qdq_conv_entropy_640.onnx',
  'peers/yolov8n_qdq_all_s8s8_320.onnx',
]) {
  t.test(`the head of ${name} is found`, { skip: skipWithout('models', name) }, (t) => {
    const head = findHead(importModel(new Uint8Array(readFileSync(shared('models', name)))))
    t.equal(head.classCount, 80)
    t.strictSame(
      head.levels.map((level) => level.stride),
      [8, 16, 32],
    )
    t.end()
  })
}
