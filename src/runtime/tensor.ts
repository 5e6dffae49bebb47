/**
 * Tensors as they cross the border of this folder: the same shape as the graph's constants, so that both are interchangeable.
 * Invariant: data.length is the product of dims; ONNX Runtime's own tensor objects never leave the worker thread.
 */

import { AgentError } from '../base/errors.js'

/** Elements by type: float16 as raw bits, bool as 0 or 1. */
interface TensorData {
  readonly float32: Float32Array
  readonly uint8: Uint8Array
  readonly int8: Int8Array
  readonly uint16: Uint16Array
  readonly int16: Int16Array
  readonly int32: Int32Array
  readonly int64: BigInt64Array
  readonly bool: Uint8Array
  readonly float16: Uint16Array
  readonly float64: Float64Array
}

export type ElementType = keyof TensorData

const arrayTypes: {
  readonly [T in ElementType]: new (
    buffer: ArrayBuffer,
    byteOffset?: number,
    length?: number,
  ) => TensorData[T]
} = {
  float32: Float32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
  float16: Uint16Array,
  float64: Float64Array,
}

interface TensorOf<T extends ElementType> {
  readonly type: T
  /** Row-major dimensions; empty for a scalar. */
  readonly dims: readonly number[]
  readonly data: TensorData[T]
}

/** Input or output of a session: a union over the element types, narrowed by `type`. */
export type SessionTensor = { readonly [T in ElementType]: TensorOf<T> }[ElementType]

/** What a session says of one of its inputs or outputs. */
export interface TensorInfo {
  readonly name: string
  readonly type: ElementType
  /** A number where the size is fixed, a name where it is open. */
  readonly shape: readonly (number | string)[]
}

/** A tensor on its way between threads: its bytes in a buffer of their own, which is transferred. */
export interface PackedTensor {
  readonly name: string
  readonly type: ElementType
  readonly dims: readonly number[]
  readonly buffer: ArrayBuffer
}

/** Copies `tensor` into one of `buffers`, which can be transferred; the caller keeps its own. */
export function packTensor(name: string, tensor: SessionTensor, buffers: SpareBuffers): PackedTensor {
  const { buffer, byteOffset, byteLength } = tensor.data
  const copy = buffers.take(byteLength)
  new Uint8Array(copy).set(new Uint8Array(buffer, byteOffset, byteLength))
  return { name, type: tensor.type, dims: tensor.dims, buffer: copy }
}

/** Buffers that have come back from a thread and may go there again: memory that was used before is several times faster than new. */
export class SpareBuffers {
  readonly #buffers: ArrayBuffer[] = []

  /** A buffer of `byteLength` bytes; what it holds is undefined. */
  take(byteLength: number): ArrayBuffer {
    const at = this.#buffers.findIndex((buffer) => buffer.byteLength === byteLength)
    return at < 0 ? new ArrayBuffer(byteLength) : this.#buffers.splice(at, 1)[0]!
  }

  /** Keeps `buffers` and forgets those that nobody has taken since the last time. */
  replace(buffers: readonly ArrayBuffer[]): void {
    this.#buffers.splice(0, this.#buffers.length, ...buffers)
  }
}

/** Gives the bytes of `packed` their element type; takes the buffer. */
export function unpackTensor(packed: PackedTensor): SessionTensor {
  const data = typedArray(packed.type, packed.buffer)
  // `type` chose the array type one line above; the compiler cannot follow a union of constructors.
  return { type: packed.type, dims: packed.dims, data } as SessionTensor
}

/** An array of `type` over `buffer`, or over `length` elements of it from `byteOffset` on. */
export function typedArray<T extends ElementType>(
  type: T,
  buffer: ArrayBuffer,
  byteOffset?: number,
  length?: number,
): TensorData[T] {
  return new arrayTypes[type](buffer, byteOffset, length)
}

/** Narrows ONNX Runtime's name of an element type. Throws `inference.load_failed` for types that no model of ours uses. */
export function elementTypeOf(type: string, name: string): ElementType {
  if (Object.hasOwn(arrayTypes, type)) return type as ElementType
  throw new AgentError(
    'inference.load_failed',
    `the model has ${name} of element type ${type}, expected one of ${Object.keys(arrayTypes).join(', ')}`,
  )
}
