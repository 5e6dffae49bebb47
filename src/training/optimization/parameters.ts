/**
 * The numbers that training changes, in one array, so that optimisers and checkpoints need not know of tensors.
 * Invariant: the layout follows from the graph alone; views share memory with `values`.
 */

import { invariant } from '../../base/assert.js'
import type { Graph, ValueName } from '../../onnx/graph.js'
import { elementCount, type FloatTensor } from '../../onnx/tensor.js'

export interface ParameterSlot {
  readonly name: ValueName
  readonly dims: readonly number[]
  /** First element in the array. */
  readonly offset: number
  readonly length: number
  /** Whether weight decay applies: to kernels, not to biases and norms. */
  readonly decays: boolean
}

export class Parameters {
  readonly slots: readonly ParameterSlot[]
  readonly values: Float32Array

  /** The initializers `names` of `graph`, copied. */
  constructor(graph: Graph, names: readonly ValueName[]) {
    let offset = 0
    this.slots = names.map((name) => {
      const tensor = graph.initializers.get(name)
      invariant(tensor?.type === 'float32', `${name} is a float32 initializer`)
      const length = elementCount(tensor.dims)
      const slot = { name, dims: tensor.dims, offset, length, decays: tensor.dims.length > 1 }
      offset += length
      return slot
    })
    this.values = new Float32Array(offset)
    for (const slot of this.slots)
      this.values.set(graph.initializers.get(slot.name)!.data as Float32Array, slot.offset)
  }

  /** The part of `values` (of the same layout as the own ones) that belongs to `slot`. */
  static view(values: Float32Array, slot: ParameterSlot): Float32Array {
    return values.subarray(slot.offset, slot.offset + slot.length)
  }

  /** Tensors over `values`, by name; they share its memory. */
  tensors(values: Float32Array = this.values): Map<ValueName, FloatTensor> {
    return new Map(
      this.slots.map((slot) => [
        slot.name,
        { type: 'float32', dims: slot.dims, data: Parameters.view(values, slot) },
      ]),
    )
  }
}
