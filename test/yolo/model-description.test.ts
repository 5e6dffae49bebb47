import t from 'tap'
import type { Dim, Graph, ValueInfo } from '../../src/onnx/graph.js'
import type { ElementType } from '../../src/onnx/tensor.js'
import { byteOutputsEntry } from '../../src/yolo/byte-scale.js'
import { lazyBoxesEntry } from '../../src/yolo/lazy-boxes.js'
import { describeModel } from '../../src/yolo/model-description.js'
import { importModel } from '../../src/onnx/import-model.js'
import { exportNames, readExport } from '../helpers/exports.js'

function value(name: string, shape: readonly Dim[], type: ElementType = 'float32'): ValueInfo {
  return { name, shape, type }
}

function graph(
  inputs: readonly ValueInfo[],
  outputs: readonly ValueInfo[],
  metadata: Readonly<Record<string, string>> = {},
): Graph {
  return {
    name: 'test',
    irVersion: 8,
    opsets: new Map([['', 17]]),
    inputs,
    outputs,
    nodes: [],
    initializers: new Map(),
    metadata: new Map(Object.entries(metadata)),
    carried: undefined,
  }
}

const floatInput = value('images', [1, 3, 64, 96])
const byteInput = value('images', [1, 64, 96, 3], 'uint8')
const anchors = 8 * 12 + 4 * 6 + 2 * 3
const decoded = value('output0', [1, 6, anchors])
const heads = [8, 16, 32].flatMap((stride, index) => [
  value(`p${index + 3}_cls`, [1, 2, 64 / stride, 96 / stride]),
  value(`p${index + 3}_box`, [1, 64, 64 / stride, 96 / stride]),
])
const names = { names: `{0: 'cat', 1: 'dog'}` }
const levels = [8, 16, 32].map((stride, index) => ({
  stride,
  box: `p${index + 3}_box`,
  cls: `p${index + 3}_cls`,
}))

t.test('describes every mix of input and output', (t) => {
  for (const [input, inputLayout] of [
    [floatInput, 'nchw-float'],
    [byteInput, 'nhwc-uint8'],
  ] as const) {
    const common = {
      inputName: 'images',
      inputLayout,
      inputWidth: 96,
      inputHeight: 64,
      classNames: ['cat', 'dog'],
    }
    t.same(describeModel(graph([input], [decoded], names)), {
      ...common,
      output: { kind: 'decoded', name: 'output0' },
    })
    t.same(describeModel(graph([input], heads, names)), { ...common, output: { kind: 'heads', levels } })
  }
  t.end()
})

t.test('a description can be sent to a thread', (t) => {
  const description = describeModel(graph([byteInput], heads, names))
  t.same(structuredClone(description), description)
  t.end()
})

t.test('classes without names are numbered', (t) => {
  t.same(describeModel(graph([floatInput], [decoded])).classNames, ['class_0', 'class_1'])
  t.same(describeModel(graph([byteInput], heads)).classNames, ['class_0', 'class_1'])
  t.end()
})

t.test('64 classes are told from the box by name', (t) => {
  const even = heads.map((head) =>
    head.name.endsWith('cls') ? { ...head, shape: [1, 64, ...head.shape.slice(2)] } : head,
  )
  const description = describeModel(graph([byteInput], even))
  t.equal(description.classNames.length, 64)
  t.same(description.output, { kind: 'heads', levels })
  t.end()
})

t.test('a dynamic input takes the given size, else the size of the export', (t) => {
  const dynamic = graph(
    [value('images', ['batch', 3, 'height', 'width'])],
    [value('output0', ['batch', 6, 'anchors'])],
    { ...names, imgsz: '[64, 96]' },
  )
  t.match(describeModel(dynamic), { inputWidth: 96, inputHeight: 64 })
  t.match(describeModel(dynamic, { width: 320, height: 320 }), { inputWidth: 320, inputHeight: 320 })
  const unknown = graph(dynamic.inputs, [value('output0', [undefined, undefined, undefined])], {
    ...names,
    imgsz: '320',
  })
  t.match(describeModel(unknown), { inputWidth: 320, inputHeight: 320, classNames: ['cat', 'dog'] })
  t.end()
})

t.test('heads may leave as bytes where the file says what they stand for', (t) => {
  const scale = { scale: 0.5, zeroPoint: 3 }
  const heads = [8, 16, 32].flatMap((stride, index) => {
    const [h, w] = [64 / stride, 96 / stride]
    return [value(`p${index + 3}_box`, [1, 64, h, w]), value(`p${index + 3}_cls`, [1, h, w, 2], 'uint8')]
  })
  const entry = byteOutputsEntry(new Map(['p3_cls', 'p4_cls', 'p5_cls'].map((name) => [name, scale])))
  const { output } = describeModel(graph([byteInput], heads, { ...names, [entry[0]]: entry[1] }))
  t.match(output, { levels: [{ stride: 8, box: 'p3_box', cls: 'p3_cls', clsScale: scale }, {}, {}] })
  t.notOk(output.kind === 'heads' && output.levels.some((level) => 'boxScale' in level))
  t.throws(() => describeModel(graph([byteInput], heads, names)), {
    message: /p3_cls is uint8 without a scale, expected float32/,
  })
  t.end()
})

t.test('boxes may come by tiles where the file says how', (t) => {
  const scale = { scale: 0.5, zeroPoint: 3 }
  const outputs = [8, 16, 32].flatMap((stride, index) => {
    const [h, w] = [64 / stride, 96 / stride]
    const at = `p${index + 3}`
    return [
      value(`${at}_cls`, [1, h, w, 2], 'uint8'),
      index === 2 ? value(`${at}_box`, [1, h, w, 64], 'uint8') : value(`${at}_box`, ['T', 8, 9, 64], 'uint8'),
    ]
  })
  const tiles = (name: string) => ({ name: `${name}_tiles`, height: 8, width: 9 })
  const lazy = ['p3', 'p4'].map((at) => ({ box: `${at}_box`, cls: `${at}_cls`, tiles: tiles(at) }))
  const metadata = {
    ...names,
    ...Object.fromEntries([
      byteOutputsEntry(new Map(outputs.map(({ name }) => [name, scale]))),
      lazyBoxesEntry({ threshold: 'min_logit', levels: lazy }),
    ]),
  }
  const inputs = [byteInput, value('min_logit', [1])]
  const all = [...outputs, value('p3_tiles', ['T'], 'int32'), value('p4_tiles', ['T'], 'int32')]
  const description = describeModel(graph(inputs, all, metadata))
  t.equal(description.inputName, 'images')
  t.match(description.output, {
    thresholdName: 'min_logit',
    levels: [
      { stride: 8, box: 'p3_box', tiles: tiles('p3'), boxScale: scale },
      { stride: 16, box: 'p4_box', tiles: tiles('p4') },
      { stride: 32, box: 'p5_box' },
    ],
  })
  t.notOk(description.output.kind === 'heads' && 'tiles' in description.output.levels[2]!)
  t.throws(() => describeModel(graph(inputs, all, names)), { message: /2 inputs \(images, min_logit\)/ })
  t.end()
})

t.test('refuses what is no YOLOv8 detector and names the first thing that does not fit', (t) => {
  const cases: readonly (readonly [string, Graph, RegExp])[] = [
    [
      'another task',
      graph([floatInput], [decoded], { task: 'segment' }),
      /task is "segment", expected "detect"/,
    ],
    ['two inputs', graph([floatInput, value('sizes', [2])], [decoded]), /2 inputs \(images, sizes\)/],
    ['no input', graph([], [decoded]), /0 inputs/],
    ['an input of int64', graph([value('images', [1, 3, 64, 96], 'int64')], [decoded]), /is int64/],
    [
      'a grey input',
      graph([value('images', [1, 1, 64, 96])], [decoded]),
      /\[1,1,64,96\] is float32, expected \[1,3,H,W\]/,
    ],
    ['a batch', graph([value('images', [4, 3, 64, 96])], [decoded]), /takes 4 pictures at once/],
    [
      'an odd size',
      graph([value('images', [1, 3, 60, 96])], [decoded]),
      /96x60 pixels, expected multiples of 32/,
    ],
    [
      'a dynamic size that nothing tells',
      graph([value('images', [1, 3, 'h', 'w'])], [decoded]),
      /size must be given/,
    ],
    [
      'a classifier',
      graph([floatInput], [value('output0', [1, 1000])]),
      /it has the outputs output0 \[1,1000\]; expected/,
    ],
    [
      'segmentation',
      graph([floatInput], [decoded, value('output1', [1, 32, 16, 24])]),
      /it has the outputs output0 \[1,6,126\], output1/,
    ],
    [
      'pose',
      graph([floatInput], [value('output0', [1, 56, anchors])], { names: `{0: 'person'}` }),
      /52 classes, and the metadata names 1/,
    ],
    [
      'final boxes of no known number of classes',
      graph([floatInput], [value('output0', [1, 300, 6])]),
      /tell the number of classes/,
    ],
    [
      'final poses',
      graph([floatInput], [value('output0', [1, 300, 57])], { ...names, end2end: 'True' }),
      /rows of 57 values, expected 6/,
    ],
    ['YOLOv5', graph([floatInput], [value('output0', [1, 3 * anchors, 7])]), /7 anchors/],
    ['no classes', graph([floatInput], [value('output0', [1, 4, anchors])]), /no class scores/],
    [
      'an output of integers',
      graph([floatInput], [value('output0', [1, 6, anchors], 'int64')]),
      /output0 is int64/,
    ],
    [
      'half a level',
      graph([byteInput], heads.slice(1)),
      /stride 8 has the outputs p3_box \[1,64,8,12\]; expected/,
    ],
    [
      'a head without distributions',
      graph([byteInput], [value('a', [1, 2, 8, 12]), value('b', [1, 4, 8, 12])]),
      /stride 8 has the outputs/,
    ],
    [
      'a grid of another size',
      graph([byteInput], [value('a', [1, 2, 7, 12]), value('b', [1, 64, 7, 12])]),
      /a \[1,2,7,12\] is no grid/,
    ],
  ]
  for (const [what, model, message] of cases) {
    t.throws(() => describeModel(model), { code: 'model.not_yolov8', message }, what)
  }
  t.throws(() => describeModel(graph([floatInput], [decoded], { names: '{' })), {
    code: 'model.labels_invalid',
  })
  t.throws(() => describeModel(graph([floatInput], [decoded]), { width: 640, height: 64 }), {
    code: 'model.not_yolov8',
    message: /input width is 96, and 640 was asked for/,
  })
  t.end()
})

t.test('describes real exports of every age, static and dynamic', (t) => {
  const single = exportNames.filter((name) => !name.includes('batch2'))
  t.ok(single.length >= 8)
  for (const name of single) {
    const model = importModel(readExport(name))
    const { inputLayout, inputWidth, inputHeight, classNames, output } = describeModel(model)
    t.same([inputLayout, output.kind], ['nchw-float', 'decoded'], name)
    t.same([inputHeight, inputWidth], JSON.parse(model.metadata.get('imgsz')!), name)
    t.notMatch(classNames[0], /^class_/, name)
  }
  t.throws(() => describeModel(importModel(readExport('opset14-raw-batch2'))), {
    code: 'model.not_yolov8',
    message: /takes 2 pictures at once/,
  })
  t.end()
})
