import t from 'tap'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { readFileSync } from 'node:fs'
import { AgentError, type ErrorCode } from '../../src/base/errors.js'
import { exportModel } from '../../src/onnx/export-model.js'
import { importModel } from '../../src/onnx/import-model.js'
import {
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  type GraphProto,
  type ModelProto,
} from '../../src/onnx/proto/onnx_pb.js'
import { shared, skipWithout } from '../helpers/paths.js'

const floatInput = {
  name: 'x',
  type: {
    tensorType: { elemType: 1, shape: { dim: [{ value: { case: 'dimValue' as const, value: 2n } }] } },
  },
}

/** A model `y = Add(x, w)` that the caller changes before it is encoded. */
function encode(change: (model: ModelProto, graph: GraphProto) => void = () => undefined): Uint8Array {
  const graph = create(GraphProtoSchema, {
    name: 'g',
    node: [create(NodeProtoSchema, { opType: 'Add', input: ['x', 'w'], output: ['y'] })],
    initializer: [create(TensorProtoSchema, { name: 'w', dataType: 1, dims: [2n], floatData: [1, 2] })],
    input: [floatInput],
    output: [{ ...floatInput, name: 'y' }],
  })
  const model = create(ModelProtoSchema, { irVersion: 8n, opsetImport: [{ version: 17n }], graph })
  change(model, model.graph!)
  return toBinary(ModelProtoSchema, model)
}

function refusal(bytes: Uint8Array): AgentError {
  try {
    importModel(bytes)
  } catch (thrown) {
    if (thrown instanceof AgentError) return thrown
    throw thrown
  }
  throw new Error('the model was accepted')
}

t.test('a small model keeps its nodes, values, weights and metadata', (t) => {
  const graph = importModel(encode((model) => (model.metadataProps = [metadataEntry('stride', '32')])))
  t.equal(graph.nodes[0]!.opType, 'Add')
  t.equal(graph.nodes[0]!.name, 'Add_0', 'a missing node name is made from the operator')
  t.strictSame([...graph.initializers.get('w')!.data], [1, 2])
  t.strictSame(graph.inputs, [{ name: 'x', type: 'float32', shape: [2] }])
  t.equal(graph.metadata.get('stride'), '32')
  t.end()
})

function metadataEntry(key: string, value: string): ModelProto['metadataProps'][number] {
  return create(ModelProtoSchema, { metadataProps: [{ key, value }] }).metadataProps[0]!
}

t.test('an initializer that old exports list as an input is no input', (t) => {
  const graph = importModel(
    encode((model, graph) => {
      model.irVersion = 3n
      graph.input.push({ ...graph.input[0]!, name: 'w' })
    }),
  )
  t.strictSame(
    graph.inputs.map((input) => input.name),
    ['x'],
  )
  t.equal(graph.irVersion, 4, 'the first version that allows it')
  t.end()
})

t.test('nodes come back in topological order and with unique names', (t) => {
  const graph = importModel(
    encode((_, graph) => {
      graph.node.unshift(create(NodeProtoSchema, { name: 'n', opType: 'Relu', input: ['y'], output: ['z'] }))
      graph.node.push(create(NodeProtoSchema, { name: 'n', opType: 'Relu', input: ['z'], output: ['q'] }))
    }),
  )
  t.strictSame(
    graph.nodes.map((node) => node.opType),
    ['Add', 'Relu', 'Relu'],
  )
  t.equal(new Set(graph.nodes.map((node) => node.name)).size, 3)
  t.end()
})

t.test('unknown fields of the model, the graph, a node and a tensor survive a round trip', (t) => {
  const unknown = [{ no: 999, wireType: 2, data: Uint8Array.of(3, 7, 8, 9) }]
  const bytes = encode((model, graph) => {
    model.$unknown = unknown
    graph.$unknown = unknown
    graph.node[0]!.$unknown = unknown
    graph.node[0]!.docString = 'why'
    graph.initializer[0]!.$unknown = unknown
    model.producerName = 'somebody'
  })
  const back = fromBinary(ModelProtoSchema, exportModel(importModel(bytes)))
  t.match(back.$unknown, [{ no: 999 }])
  t.match(back.graph!.$unknown, [{ no: 999 }])
  t.match(back.graph!.node[0]!.$unknown, [{ no: 999 }])
  t.match(back.graph!.initializer[0]!.$unknown, [{ no: 999 }])
  t.equal(back.graph!.node[0]!.docString, 'why')
  t.equal(back.producerName, 'somebody')
  t.end()
})

t.test('every form of tensor data gives the same elements', (t) => {
  const forms: [number, object, readonly (number | bigint)[]][] = [
    [1, { rawData: new Uint8Array(Float32Array.of(1.5, -2).buffer) }, [1.5, -2]],
    [1, { floatData: [1.5, -2] }, [1.5, -2]],
    [7, { int64Data: [-5n, 9n] }, [-5n, 9n]],
    [7, { rawData: new Uint8Array(BigInt64Array.of(-5n, 9n).buffer) }, [-5n, 9n]],
    [6, { int32Data: [-5, 9] }, [-5, 9]],
    [3, { int32Data: [-5, 9] }, [-5, 9]],
    [2, { int32Data: [5, 255] }, [5, 255]],
    [9, { int32Data: [0, 1] }, [0, 1]],
    [10, { int32Data: [0x3c00, 0xbc00] }, [0x3c00, 0xbc00]],
    [11, { doubleData: [0.1, 2] }, [0.1, 2]],
  ]
  for (const [dataType, data, expected] of forms) {
    const bytes = encode((_, graph) => {
      graph.initializer[0] = create(TensorProtoSchema, { name: 'w', dims: [2n], dataType, ...data })
    })
    t.strictSame([...importModel(bytes).initializers.get('w')!.data], expected, `type ${dataType}`)
  }
  t.end()
})

t.test('the ends of int64 in attributes come back as they were', (t) => {
  const ints = [9223372036854775807n, -9223372036854775808n, 3n]
  const bytes = encode((_, graph) => {
    graph.node[0]!.attribute = create(NodeProtoSchema, {
      attribute: [{ name: 'a', type: 7, ints }],
    }).attribute
  })
  const back = fromBinary(ModelProtoSchema, exportModel(importModel(bytes)))
  t.strictSame(back.graph!.node[0]!.attribute[0]!.ints, ints)
  t.end()
})

t.test('what cannot be read is refused with a code and the name of the first thing in the way', (t) => {
  const valueType = (elemType: number) => ({ tensorType: { elemType, shape: { dim: [] } } })
  const cases: [string, Uint8Array, ErrorCode, RegExp][] = [
    ['no bytes', new Uint8Array(0), 'model.parse_failed', /no graph/],
    [
      'random bytes',
      Uint8Array.from({ length: 999 }, (_, i) => (i * 7919) >> 3),
      'model.parse_failed',
      /not/,
    ],
    ['a truncated file', encode().subarray(0, 60), 'model.parse_failed', /beyond its end|EOF/],
    ['no opset', encode((m) => (m.opsetImport = [])), 'model.graph_invalid', /operator set/],
    [
      'an old opset',
      encode((m) => (m.opsetImport[0]!.version = 9n)),
      'model.op_unsupported',
      /operator set 9/,
    ],
    [
      'a function',
      encode((m) => (m.functions = [Uint8Array.of(1)])),
      'model.op_unsupported',
      /local functions/,
    ],
    [
      'a claim of 2^40 elements',
      encode((_, g) => (g.initializer[0]!.dims = [1n << 40n])),
      'model.parse_failed',
      /initializer w/,
    ],
    [
      'a product beyond reason',
      encode((_, g) => (g.initializer[0]!.dims = [1n << 20n, 1n << 20n])),
      'model.parse_failed',
      /initializer w/,
    ],
    [
      'a negative size',
      encode((_, g) => (g.initializer[0]!.dims = [-2n])),
      'model.parse_failed',
      /initializer w/,
    ],
    [
      'too few elements',
      encode((_, g) => (g.initializer[0]!.dims = [3n])),
      'model.parse_failed',
      /2 elements.*3/,
    ],
    [
      'half an element',
      encode((_, g) => (g.initializer[0]!.rawData = new Uint8Array(7))),
      'model.parse_failed',
      /multiple of 4/,
    ],
    [
      'external data',
      encode((_, g) => (g.initializer[0]!.dataLocation = 1)),
      'model.op_unsupported',
      /another file/,
    ],
    ['strings', encode((_, g) => (g.initializer[0]!.dataType = 8)), 'model.op_unsupported', /string/],
    [
      'a subgraph',
      encode((_, g) => {
        g.node[0]!.attribute = create(NodeProtoSchema, {
          attribute: [{ name: 'then_branch', type: 5, g: Uint8Array.of(1) }],
        }).attribute
      }),
      'model.op_unsupported',
      /Add_0 \(Add\) has a subgraph in attribute then_branch/,
    ],
    [
      'a foreign element type of an input',
      encode(
        (_, g) =>
          (g.input[0]!.type = create(GraphProtoSchema, { input: [{ type: valueType(16) }] }).input[0]!.type),
      ),
      'model.op_unsupported',
      /bfloat16/,
    ],
    [
      'a value that nobody makes',
      encode((_, g) => (g.node[0]!.input[1] = 'v')),
      'model.graph_invalid',
      /v, which nothing/,
    ],
    [
      'a cycle',
      encode((_, g) => {
        g.node[0]!.input[1] = 'z'
        g.node.push(create(NodeProtoSchema, { opType: 'Relu', input: ['y'], output: ['z'] }))
      }),
      'model.graph_invalid',
      /cycle/,
    ],
    [
      'a value with two producers',
      encode((_, g) => g.node.push(create(NodeProtoSchema, { opType: 'Relu', input: ['x'], output: ['y'] }))),
      'model.graph_invalid',
      /value y is produced by/,
    ],
    [
      'a foreign domain without a version',
      encode((_, g) => (g.node[0]!.domain = 'com.microsoft')),
      'model.graph_invalid',
      /com\.microsoft/,
    ],
  ]
  for (const [title, bytes, code, message] of cases) {
    const error = refusal(bytes)
    t.equal(error.code, code, `${title}: ${error.message}`)
    t.match(error.message, message, title)
  }
  t.end()
})

t.test('a file of two million empty nodes is refused before it is decoded', (t) => {
  const nodes = new Uint8Array(4_000_000).map((_, index) => (index % 2 === 0 ? 0x0a : 0))
  const length = [0x80, 0x92, 0xf4, 0x01]
  const error = refusal(Buffer.concat([Uint8Array.of(0x3a, ...length), nodes]))
  t.equal(error.code, 'model.parse_failed')
  t.match(error.message, /more than 1000000 fields/)
  t.end()
})

t.test(
  'the reference model keeps its size, and its export is stable',
  { skip: skipWithout('models', 'yolov8n.onnx') },
  (t) => {
    const bytes = new Uint8Array(readFileSync(shared('models', 'yolov8n.onnx')))
    const graph = importModel(bytes)
    t.equal(graph.nodes.length, 234)
    t.strictSame(graph.outputs, [{ name: 'output0', type: 'float32', shape: [1, 84, 8400] }])
    const exported = exportModel(graph)
    t.ok(Buffer.from(exported).equals(Buffer.from(exportModel(importModel(exported)))))
    t.ok(exported.byteLength > 12_600_000)
    t.end()
  },
)
