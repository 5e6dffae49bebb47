/** Taking places of a tensor along one axis. Invariant: the given tensor is not changed. */

import { elementCount, type Tensor } from '../../onnx/tensor.js'

/** The tensor with only the given places of `axis`, in the given order. */
export function sliceTensor(tensor: Tensor, axis: number, kept: readonly number[]): Tensor {
  const outer = elementCount(tensor.dims.slice(0, axis))
  const inner = elementCount(tensor.dims.slice(axis + 1))
  const size = tensor.dims[axis]!
  const dims = tensor.dims.with(axis, kept.length)
  const data = emptyLike(tensor.data, outer * kept.length * inner)
  let offset = 0
  for (let block = 0; block < outer; block++) {
    for (const place of kept) {
      const start = (block * size + place) * inner
      data.set(tensor.data.subarray(start, start + inner) as never, offset)
      offset += inner
    }
  }
  return { type: tensor.type, dims, data } as Tensor
}

/** The tensor with the given places of `axis` set to `value` (a float, or an integer by its type). */
export function fillPlaces(tensor: Tensor, axis: number, places: readonly number[], value = 0): Tensor {
  const outer = elementCount(tensor.dims.slice(0, axis))
  const inner = elementCount(tensor.dims.slice(axis + 1))
  const size = tensor.dims[axis]!
  const data = tensor.data.slice()
  const filling = data instanceof BigInt64Array ? BigInt(value) : value
  for (let block = 0; block < outer; block++) {
    for (const place of places) {
      const start = (block * size + place) * inner
      data.fill(filling as never, start, start + inner)
    }
  }
  return { type: tensor.type, dims: tensor.dims, data } as Tensor
}

function emptyLike(data: Tensor['data'], length: number): Tensor['data'] {
  const constructor = data.constructor as new (length: number) => Tensor['data']
  return new constructor(length)
}
