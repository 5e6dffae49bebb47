import t from 'tap'
import { exportModel } from '../../src/onnx/export-model.js'
import { importModel } from '../../src/onnx/import-model.js'
import { costOf } from '../../src/onnx/cost.js'
import { outlineOf } from '../../src/onnx/outline.js'
import { exportNames, readExport } from '../helpers/exports.js'

/** A protobuf field of bytes. */
function field(number: number, content: string | readonly number[]): number[] {
  const bytes = typeof content === 'string' ? [...Buffer.from(content)] : content
  return [...varint(number * 8 + 2), ...varint(bytes.length), ...bytes]
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)]
}

const graphOf = (...nodes: readonly (readonly number[])[]): number[] =>
  nodes.flatMap((node) => field(1, node))
const node = (opType: string, ...attributes: readonly (readonly number[])[]): number[] => [
  ...field(4, opType),
  ...attributes.flatMap((attribute) => field(5, attribute)),
]
const branch = (name: string, graph: readonly number[]): number[] => [...field(1, name), ...field(6, graph)]

t.test('operators of branches and bodies are counted, however deep', (t) => {
  const loop = node('Loop', branch('body', graphOf(node('Neg'), node('Identity'))))
  const scans = [
    ...field(1, 'bodies'),
    ...field(11, graphOf(node('Add'))),
    ...field(11, graphOf(node('Add'))),
  ]
  const graph = [
    ...graphOf(
      node('If', branch('then', graphOf(node('Relu'))), branch('else', graphOf(loop))),
      node('Many', scans),
    ),
    ...field(11, [...field(1, 'x')]),
    ...field(11, [...field(1, 'w')]),
    ...field(12, [...field(1, 'y')]),
    ...field(5, [...field(8, 'w')]),
  ]
  const local = [...field(1, 'Swish'), ...field(7, [...field(4, 'Sigmoid'), ...field(7, 'of.mine')])]
  const opset = [...field(1, 'ai.onnx'), 16, 9]
  const model = [
    ...field(7, graph),
    ...field(8, opset),
    ...field(25, local),
    ...field(14, [...field(1, 'k'), ...field(2, 'v')]),
  ]
  const outline = outlineOf(Uint8Array.from(model))
  t.same(Object.fromEntries(outline.operators), {
    Add: 2,
    If: 1,
    Identity: 1,
    Loop: 1,
    Many: 1,
    Neg: 1,
    Relu: 1,
    'of.mine.Sigmoid': 1,
  })
  t.equal(outline.subgraphs, 5)
  t.same([outline.inputs, outline.outputs, outline.functions], [['x'], ['y'], ['Swish']])
  t.same(
    [...outline.opsets, ...outline.metadata],
    [
      ['', 9],
      ['k', 'v'],
    ],
  )
  t.equal(outline.initializers, 1)
  t.throws(() => importModel(Uint8Array.from(model)), { code: 'model.op_unsupported' })
  t.end()
})

t.test('tells of a graph that can be read what the graph tells', (t) => {
  for (const name of exportNames) {
    const bytes = readExport(name)
    const graph = importModel(bytes)
    const written = outlineOf(exportModel(graph))
    t.same(written.operators, costOf(graph).census, name)
    t.same(
      written.inputs,
      graph.inputs.map((input) => input.name),
    )
    t.same(written.opsets, graph.opsets)
    t.equal(written.initializers, graph.initializers.size)
  }
  t.end()
})

t.test('what is no model, cut short or nested without end is refused', (t) => {
  let deep = graphOf(node('Relu'))
  for (let level = 0; level < 40; level++) deep = graphOf(node('If', branch('then', deep)))
  const bytes = readExport('newest')
  for (const wrong of [
    Uint8Array.from(field(7, deep)),
    bytes.subarray(0, bytes.length / 2),
    Uint8Array.from(Buffer.from('this is no model')),
    new Uint8Array(0),
  ]) {
    t.throws(() => outlineOf(wrong), { code: 'model.parse_failed' })
  }
  t.end()
})
