/**
 * AttributeProto to Attribute.
 * Invariant: what cannot be expressed without loss is kept as encoded bytes, or refused where it changes the graph.
 */

import { toBinary } from '@bufbuild/protobuf'
import { AgentError } from '../base/errors.js'
import type { Attribute } from './graph.js'
import { importTensor } from './import-tensor.js'
import { type AttributeProto, AttributeProtoSchema } from './proto/onnx_pb.js'

/** AttributeProto.AttributeType of the ONNX specification. */
export const attributeTypes = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  graphs: 10,
} as const

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Decodes an attribute of the node called `owner`; throws `model.op_unsupported` for a subgraph. */
export function importAttribute(proto: AttributeProto, owner: string): Attribute {
  const type = proto.type === 0 ? impliedType(proto) : proto.type
  switch (type) {
    case attributeTypes.float:
      return { kind: 'float', value: proto.f }
    case attributeTypes.int:
      return isExact(proto.i) ? { kind: 'int', value: Number(proto.i) } : opaque(proto)
    case attributeTypes.string: {
      const value = decodeText(proto.s)
      return value === undefined ? opaque(proto) : { kind: 'string', value }
    }
    case attributeTypes.tensor:
      if (proto.t === undefined) {
        throw new AgentError(
          'model.parse_failed',
          `attribute ${proto.name} of ${owner} is a tensor without content`,
        )
      }
      return { kind: 'tensor', value: importTensor(proto.t, `attribute ${proto.name} of ${owner}`) }
    case attributeTypes.floats:
      return { kind: 'floats', value: proto.floats }
    case attributeTypes.ints:
      return proto.ints.every(isExact) ? { kind: 'ints', value: proto.ints.map(Number) } : opaque(proto)
    case attributeTypes.strings: {
      const value = proto.strings.map(decodeText)
      return value.every((text) => text !== undefined) ? { kind: 'strings', value } : opaque(proto)
    }
    case attributeTypes.graph:
    case attributeTypes.graphs:
      throw new AgentError(
        'model.op_unsupported',
        `${owner} has a subgraph in attribute ${proto.name}, expected a flat graph`,
      )
    default:
      return opaque(proto)
  }
}

/** Files of IR version 1 leave the type out. */
function impliedType(proto: AttributeProto): number {
  if (proto.t !== undefined) return attributeTypes.tensor
  if (proto.ints.length > 0) return attributeTypes.ints
  if (proto.floats.length > 0) return attributeTypes.floats
  if (proto.strings.length > 0) return attributeTypes.strings
  if (proto.g.length > 0 || proto.graphs.length > 0) return attributeTypes.graph
  if (Object.hasOwn(proto, 's')) return attributeTypes.string
  if (Object.hasOwn(proto, 'f')) return attributeTypes.float
  return attributeTypes.int
}

const int64Max = 2n ** 63n - 1n

/** Whether a number can stand for `value`; the ends of int64 mean "to the end" and are written back as such. */
function isExact(value: bigint): boolean {
  return Number.isSafeInteger(Number(value)) || value === int64Max || value === -int64Max - 1n
}

function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    // Not UTF-8: the caller keeps the bytes.
    return undefined
  }
}

function opaque(proto: AttributeProto): Attribute {
  return { kind: 'opaque', bytes: toBinary(AttributeProtoSchema, proto) }
}
