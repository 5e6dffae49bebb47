/**
 * TensorProto to Tensor.
 * Invariant: a tensor's elements are present in the file; nothing is allocated on the word of `dims` alone.
 */

import { AgentError } from '../base/errors.js'
import { carriedByTensor } from './carried.js'
import type { TensorProto } from './proto/onnx_pb.js'
import { type ElementType, elementTypes, type Tensor } from './tensor.js'

/** Beyond this a tensor could not be indexed by an int32, and no detector has one. */
const elementsMax = 0x7fff_ffff

/** ONNX's names for element types that Graph does not hold. */
const foreignTypes: Readonly<Record<number, string>> = {
  8: 'string',
  12: 'uint32',
  13: 'uint64',
  14: 'complex64',
  15: 'complex128',
  16: 'bfloat16',
  17: 'float8e4m3fn',
  18: 'float8e4m3fnuz',
  19: 'float8e5m2',
  20: 'float8e5m2fnuz',
  21: 'uint4',
  22: 'int4',
  23: 'float4e2m1',
}

const typeByNumber = new Map<number, ElementType>(
  (Object.keys(elementTypes) as ElementType[]).map((type) => [elementTypes[type].onnx, type]),
)

/** ONNX's number of an element type to its name; throws `model.op_unsupported` naming `owner` for one that Graph cannot hold. */
export function elementTypeOf(number: number, owner: string): ElementType {
  const type = typeByNumber.get(number)
  if (type === undefined) {
    throw new AgentError(
      'model.op_unsupported',
      `${owner} has element type ${foreignTypes[number] ?? number}, expected one of ${[...typeByNumber.values()].join(', ')}`,
    )
  }
  return type
}

/**
 * Decodes a tensor. Where alignment allows, the result is a view of the file's bytes: the caller must not write them.
 * `owner` names the tensor in errors.
 */
export function importTensor(proto: TensorProto, owner: string): Tensor {
  if (proto.dataLocation !== 0 || proto.externalData.length > 0) {
    throw new AgentError(
      'model.op_unsupported',
      `${owner} keeps its data in another file, expected a self-contained model`,
      { hint: 'Export the model with all weights inside the .onnx file.' },
    )
  }
  if (proto.segment.length > 0) {
    throw new AgentError('model.op_unsupported', `${owner} is stored in segments, expected a whole tensor`)
  }
  const type = elementTypeOf(proto.dataType, owner)
  const dims = importDims(proto.dims, owner)
  const count = dims.reduce((product, dim) => product * dim, 1)
  const tensor = proto.rawData.length > 0 ? fromRaw(proto, type, dims, owner) : fromLists(proto, type, dims)
  if (tensor.data.length !== count) {
    throw new AgentError(
      'model.parse_failed',
      `${owner} has ${tensor.data.length} elements, expected ${count} for [${dims.join(',')}]`,
    )
  }
  if (proto.$unknown !== undefined) carriedByTensor.set(tensor, proto.$unknown)
  return tensor
}

function importDims(dims: readonly bigint[], owner: string): number[] {
  let product = 1
  return dims.map((dim) => {
    product *= Number(dim)
    if (dim < 0n || dim > BigInt(elementsMax) || product > elementsMax) {
      throw new AgentError(
        'model.parse_failed',
        `${owner} has dimensions [${dims.join(',')}], which no tensor can have`,
      )
    }
    return Number(dim)
  })
}

function fromRaw(proto: TensorProto, type: ElementType, dims: readonly number[], owner: string): Tensor {
  const raw = proto.rawData
  const size = elementTypes[type].bytes
  if (raw.byteLength % size !== 0) {
    throw new AgentError(
      'model.parse_failed',
      `${owner} has ${raw.byteLength} bytes of data, expected a multiple of ${size}`,
    )
  }
  return tensorOverBytes(type, dims, raw)
}

/** A tensor over little-endian `bytes`; copies them only where they are not aligned for the element type. */
export function tensorOverBytes(type: ElementType, dims: readonly number[], bytes: Uint8Array): Tensor {
  const size = elementTypes[type].bytes
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes)
  const { buffer, byteOffset } = aligned
  const length = bytes.byteLength / size
  switch (type) {
    case 'float32':
      return { type, dims, data: new Float32Array(buffer, byteOffset, length) }
    case 'float64':
      return { type, dims, data: new Float64Array(buffer, byteOffset, length) }
    case 'int64':
      return { type, dims, data: new BigInt64Array(buffer, byteOffset, length) }
    case 'int32':
      return { type, dims, data: new Int32Array(buffer, byteOffset, length) }
    case 'int16':
      return { type, dims, data: new Int16Array(buffer, byteOffset, length) }
    case 'int8':
      return { type, dims, data: new Int8Array(buffer, byteOffset, length) }
    case 'uint8':
    case 'bool':
      return { type, dims, data: new Uint8Array(buffer, byteOffset, length) }
    case 'uint16':
    case 'float16':
      return { type, dims, data: new Uint16Array(buffer, byteOffset, length) }
  }
}

/** The typed lists of TensorProto: int32_data holds every small type, float16 as its bits. */
function fromLists(proto: TensorProto, type: ElementType, dims: readonly number[]): Tensor {
  switch (type) {
    case 'float32':
      return { type, dims, data: Float32Array.from(proto.floatData) }
    case 'float64':
      return { type, dims, data: Float64Array.from(proto.doubleData) }
    case 'int64':
      return { type, dims, data: BigInt64Array.from(proto.int64Data) }
    case 'int32':
      return { type, dims, data: Int32Array.from(proto.int32Data) }
    case 'int16':
      return { type, dims, data: Int16Array.from(proto.int32Data) }
    case 'int8':
      return { type, dims, data: Int8Array.from(proto.int32Data) }
    case 'uint8':
    case 'bool':
      return { type, dims, data: Uint8Array.from(proto.int32Data) }
    case 'uint16':
    case 'float16':
      return { type, dims, data: Uint16Array.from(proto.int32Data) }
  }
}
