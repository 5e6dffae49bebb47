/**
 * The bytes of an .onnx file to a Graph.
 * Invariant: a returned Graph passes check-graph and holds its constants as initializers; anything else is an AgentError that names the first thing in the way.
 */

import { create, fromBinary } from '@bufbuild/protobuf'
import { AgentError, messageOf } from '../base/errors.js'
import { requireBoundedStructure } from './bound-structure.js'
import { CarriedModel, CarriedNode } from './carried.js'
import { requireValidGraph } from './check-graph.js'
import type { Dim, Graph, Node, ValueInfo, ValueName } from './graph.js'
import { importAttribute } from './import-attribute.js'
import { constantsToInitializers } from './import-constant.js'
import { elementTypeOf, importTensor } from './import-tensor.js'
import { canonicalDomain, oldestOpset } from './opset.js'
import { topologicalOrder } from './patch.js'
import {
  type DimensionProto,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type ValueInfoProto,
} from './proto/onnx_pb.js'
import type { Tensor } from './tensor.js'

/** Below IR version 4 every initializer had to be listed as an input; a Graph never lists them. */
const irVersionMin = 4

/**
 * Reads a model. Takes `bytes`: large tensors are views of them, so nobody may write them afterwards.
 * Throws `model.parse_failed` for bytes that are no ONNX file, `model.op_unsupported` for what this tool cannot read
 * (external data, subgraphs, local functions, foreign element types, an opset older than 11) and
 * `model.graph_invalid` for a file whose graph contradicts itself.
 */
export function importModel(bytes: Uint8Array): Graph {
  const model = decodeModel(bytes)
  const proto = model.graph
  if (proto === undefined) {
    throw new AgentError(
      'model.parse_failed',
      `the ${bytes.byteLength} bytes are not an ONNX model: they hold no graph`,
    )
  }
  const opsets = importOpsets(model)
  refuseUnsupported(model, proto)
  const initializers = importInitializers(proto)
  const nodes = constantsToInitializers(importNodes(proto.node), initializers)
  const inputs = proto.input.filter((input) => !initializers.has(input.name)).map(importValueInfo)
  const outputs = proto.output.map(importValueInfo)
  const graph: Graph = {
    name: proto.name === '' ? 'graph' : proto.name,
    irVersion: Math.max(irVersionMin, Number(model.irVersion)),
    opsets,
    inputs,
    outputs,
    nodes: topologicalOrder(nodes, [...inputs.map((input) => input.name), ...initializers.keys()]),
    initializers,
    metadata: new Map(model.metadataProps.map((entry) => [entry.key, entry.value])),
    carried: carriedOf(model, proto),
  }
  requireValidGraph(graph)
  return graph
}

function decodeModel(bytes: Uint8Array): ModelProto {
  try {
    requireBoundedStructure(bytes)
    return fromBinary(ModelProtoSchema, bytes)
  } catch (thrown) {
    if (thrown instanceof AgentError) throw thrown
    throw new AgentError(
      'model.parse_failed',
      `the ${bytes.byteLength} bytes are not an ONNX model: ${messageOf(thrown)}`,
      { cause: thrown },
    )
  }
}

function importOpsets(model: ModelProto): ReadonlyMap<string, number> {
  const opsets = new Map(
    model.opsetImport.map((entry) => [canonicalDomain(entry.domain), Number(entry.version)] as const),
  )
  const standard = opsets.get('')
  if (standard === undefined) {
    throw new AgentError('model.graph_invalid', 'the model declares no version of the standard operator set')
  }
  if (standard < oldestOpset) {
    throw new AgentError(
      'model.op_unsupported',
      `the model uses operator set ${standard}, expected ${oldestOpset} or newer`,
      { hint: 'Export the model again with opset=17.' },
    )
  }
  return opsets
}

function refuseUnsupported(model: ModelProto, graph: GraphProto): void {
  if (model.functions.length > 0) {
    throw new AgentError(
      'model.op_unsupported',
      `the model defines ${model.functions.length} local functions, expected plain operators`,
    )
  }
  if (graph.sparseInitializer.length > 0) {
    throw new AgentError(
      'model.op_unsupported',
      `the model has ${graph.sparseInitializer.length} sparse initializers, expected dense ones`,
    )
  }
}

function importInitializers(graph: GraphProto): Map<ValueName, Tensor> {
  const initializers = new Map<ValueName, Tensor>()
  for (const proto of graph.initializer) {
    if (proto.name === '' || initializers.has(proto.name)) {
      throw new AgentError('model.graph_invalid', `initializer name '${proto.name}' is empty or used twice`)
    }
    initializers.set(proto.name, importTensor(proto, `initializer ${proto.name}`))
  }
  return initializers
}

/** Nodes with unique names: a missing name becomes `<OpType>_<index>`, a repeated one gets a number. */
function importNodes(protos: readonly NodeProto[]): Node[] {
  const taken = new Set(protos.map((proto) => proto.name))
  const seen = new Set<string>()
  return protos.map((proto, index) => {
    let name = proto.name
    if (name === '' || seen.has(name)) {
      const stem = name === '' ? `${proto.opType}_${index}` : `${name}_${index}`
      name = stem
      for (let suffix = 1; taken.has(name); suffix++) name = `${stem}_${suffix}`
      taken.add(name)
    }
    seen.add(name)
    return importNode(proto, name)
  })
}

function importNode(proto: NodeProto, name: string): Node {
  const owner = `node ${name} (${proto.opType})`
  const node: Node = {
    name,
    opType: proto.opType,
    domain: canonicalDomain(proto.domain),
    inputs: proto.input,
    outputs: proto.output,
    attributes: new Map(
      proto.attribute.map((attribute) => [attribute.name, importAttribute(attribute, owner)]),
    ),
  }
  if (proto.docString === '' && proto.overload === '' && proto.$unknown === undefined) return node
  return { ...node, carried: new CarriedNode(proto.docString, proto.overload, proto.$unknown ?? []) }
}

function importValueInfo(proto: ValueInfoProto): ValueInfo {
  const tensor = proto.type?.tensorType
  if (tensor === undefined) {
    throw new AgentError('model.op_unsupported', `value ${proto.name} has no tensor type, expected a tensor`)
  }
  if (tensor.shape === undefined) {
    throw new AgentError(
      'model.op_unsupported',
      `value ${proto.name} has no shape, expected its number of dimensions`,
    )
  }
  return {
    name: proto.name,
    type: elementTypeOf(tensor.elemType, `value ${proto.name}`),
    shape: tensor.shape.dim.map(importDim),
  }
}

function importDim(proto: DimensionProto): Dim {
  switch (proto.value.case) {
    case 'dimValue': {
      const size = Number(proto.value.value)
      return Number.isSafeInteger(size) && size >= 0 ? size : undefined
    }
    case 'dimParam':
      return proto.value.value === '' ? undefined : proto.value.value
    case undefined:
      return undefined
  }
}

/** What Graph has no field for. The parts it has are left out, so that the file's weights can be collected. */
function carriedOf(model: ModelProto, graph: GraphProto): CarriedModel {
  const modelRest = create(ModelProtoSchema, {
    producerName: model.producerName,
    producerVersion: model.producerVersion,
    domain: model.domain,
    modelVersion: model.modelVersion,
    docString: model.docString,
  })
  const graphRest = create(GraphProtoSchema, { docString: graph.docString })
  if (model.$unknown !== undefined) modelRest.$unknown = model.$unknown
  if (graph.$unknown !== undefined) graphRest.$unknown = graph.$unknown
  return new CarriedModel(modelRest, graphRest)
}
