/**
 * A Graph to the bytes of an .onnx file.
 * Invariant: the same graph gives the same bytes; importing them gives the same graph.
 */

import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { carriedByTensor, CarriedModel, CarriedNode } from './carried.js'
import type { Attribute, Dim, Graph, Node, ValueInfo } from './graph.js'
import { attributeTypes } from './import-attribute.js'
import {
  type AttributeProto,
  AttributeProtoSchema,
  type DimensionProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProtoSchema,
} from './proto/onnx_pb.js'
import { elementTypes, type Tensor } from './tensor.js'

/** Encodes a graph. Inner value_info is left out: readers infer it. Borrows the graph. */
export function exportModel(graph: Graph): Uint8Array {
  const carried = graph.carried instanceof CarriedModel ? graph.carried : undefined
  const graphProto = create(GraphProtoSchema, {
    name: graph.name,
    docString: carried?.graph.docString ?? '',
    node: graph.nodes.map(exportNode),
    initializer: [...graph.initializers].map(([name, tensor]) => exportTensor(tensor, name)),
    input: graph.inputs.map(exportValueInfo),
    output: graph.outputs.map(exportValueInfo),
  })
  if (carried?.graph.$unknown !== undefined) graphProto.$unknown = carried.graph.$unknown
  const model = create(ModelProtoSchema, {
    irVersion: BigInt(graph.irVersion),
    producerName: carried?.model.producerName ?? 'yolo-edge-agent',
    producerVersion: carried?.model.producerVersion ?? '',
    domain: carried?.model.domain ?? '',
    modelVersion: carried?.model.modelVersion ?? 0n,
    docString: carried?.model.docString ?? '',
    graph: graphProto,
    opsetImport: [...graph.opsets].map(([domain, version]) => ({ domain, version: BigInt(version) })),
    metadataProps: [...graph.metadata].map(([key, value]) => ({ key, value })),
  })
  if (carried?.model.$unknown !== undefined) model.$unknown = carried.model.$unknown
  return toBinary(ModelProtoSchema, model)
}

function exportNode(node: Node): NodeProto {
  const proto = create(NodeProtoSchema, {
    name: node.name,
    opType: node.opType,
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: [...node.attributes].map(([name, attribute]) => exportAttribute(name, attribute)),
  })
  if (node.domain !== '') proto.domain = node.domain
  if (node.carried instanceof CarriedNode) {
    if (node.carried.docString !== '') proto.docString = node.carried.docString
    if (node.carried.overload !== '') proto.overload = node.carried.overload
    if (node.carried.unknown.length > 0) proto.$unknown = [...node.carried.unknown]
  }
  return proto
}

function exportAttribute(name: string, attribute: Attribute): AttributeProto {
  if (attribute.kind === 'opaque') return fromBinary(AttributeProtoSchema, attribute.bytes)
  const content: MessageInitShape<typeof AttributeProtoSchema> = {
    name,
    type: attributeTypes[attribute.kind],
  }
  switch (attribute.kind) {
    case 'float':
      content.f = attribute.value
      break
    case 'int':
      content.i = int64From(attribute.value)
      break
    case 'string':
      content.s = new TextEncoder().encode(attribute.value)
      break
    case 'tensor':
      content.t = exportTensor(attribute.value, '')
      break
    case 'floats':
      content.floats = [...attribute.value]
      break
    case 'ints':
      content.ints = attribute.value.map(int64From)
      break
    case 'strings':
      content.strings = attribute.value.map((text) => new TextEncoder().encode(text))
      break
  }
  return create(AttributeProtoSchema, content)
}

const int64Max = 2n ** 63n - 1n

/** The ends of int64 are no exact numbers: whatever lies beyond means them. */
function int64From(value: number): bigint {
  const exact = BigInt(Math.trunc(value))
  if (exact > int64Max) return int64Max
  return exact < -int64Max - 1n ? -int64Max - 1n : exact
}

function exportTensor(tensor: Tensor, name: string): TensorProto {
  const { buffer, byteOffset, byteLength } = tensor.data
  const proto = create(TensorProtoSchema, {
    dims: tensor.dims.map((dim) => BigInt(dim)),
    dataType: elementTypes[tensor.type].onnx,
    rawData: new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength),
  })
  if (name !== '') proto.name = name
  const unknown = carriedByTensor.get(tensor)
  if (unknown !== undefined) proto.$unknown = [...unknown]
  return proto
}

function exportValueInfo(value: ValueInfo): MessageInitShape<typeof ValueInfoProtoSchema> {
  return {
    name: value.name,
    type: {
      tensorType: { elemType: elementTypes[value.type].onnx, shape: { dim: value.shape.map(exportDim) } },
    },
  }
}

function exportDim(dim: Dim): MessageInitShape<typeof DimensionProtoSchema> {
  if (dim === undefined) return {}
  return {
    value:
      typeof dim === 'number' ? { case: 'dimValue', value: BigInt(dim) } : { case: 'dimParam', value: dim },
  }
}
