/** Constant tensors and their element types. Invariant: data.length is the product of dims. */

import { invariant } from '../base/assert.js'

/** Element types that YOLOv8 graphs and their compressed forms use, with ONNX's number for each (TensorProto.DataType). */
export const elementTypes = {
  float32: { onnx: 1, bytes: 4 },
  uint8: { onnx: 2, bytes: 1 },
  int8: { onnx: 3, bytes: 1 },
  uint16: { onnx: 4, bytes: 2 },
  int16: { onnx: 5, bytes: 2 },
  int32: { onnx: 6, bytes: 4 },
  int64: { onnx: 7, bytes: 8 },
  bool: { onnx: 9, bytes: 1 },
  float16: { onnx: 10, bytes: 2 },
  float64: { onnx: 11, bytes: 8 },
} as const

export type ElementType = keyof typeof elementTypes

/** Elements by type: float16 as raw bits in a Uint16Array, bool as 0 or 1. */
export interface TensorData {
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

interface TensorOf<T extends ElementType> {
  readonly type: T
  /** Row-major dimensions; empty for a scalar. */
  readonly dims: readonly number[]
  /** Never written after construction: tensors are shared between graphs. */
  readonly data: TensorData[T]
}

/** A constant tensor: a union over the element types, narrowed by `type`. */
export type Tensor = { readonly [T in ElementType]: TensorOf<T> }[ElementType]
export type FloatTensor = TensorOf<'float32'>
export type Int64Tensor = TensorOf<'int64'>

/** Product of the dimensions; 1 for a scalar. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1)
}

export function floatTensor(dims: readonly number[], values: Float32Array | readonly number[]): FloatTensor {
  const data = values instanceof Float32Array ? values : Float32Array.from(values)
  invariant(data.length === elementCount(dims), `tensor [${dims.join(',')}] has ${data.length} elements`)
  return { type: 'float32', dims, data }
}

export function int64Tensor(dims: readonly number[], values: readonly number[]): Int64Tensor {
  invariant(values.length === elementCount(dims), `tensor [${dims.join(',')}] has ${values.length} elements`)
  return { type: 'int64', dims, data: BigInt64Array.from(values, BigInt) }
}
