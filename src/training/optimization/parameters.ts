/**
 * The parameters of a network as one flat array: what optimizers, averages and checkpoints work on.
 * Invariant: slots cover the array in order, those that decay first, each from a whole lane on, without overlap; numbers between slots
 * are zero.
 */

import { invariant } from '../../base/assert.js'
import type { Graph, ValueName } from '../../onnx/graph.js'
import { elementCount, type FloatTensor } from '../../onnx/tensor.js'
import { wholeLanes } from './vector-memory.js'

export interface ParameterSlot {
  readonly name: ValueName
  readonly dims: readonly number[]
  /** Where the parameter begins in the flat array, in elements. */
  readonly offset: number
  readonly length: number
  /** Whether weight decay applies: to kernels, not to biases and norms. */
  readonly decays: boolean
}

/** Elements `start` to `end` of the array, whole lanes. */
export interface ParameterRange {
  readonly start: number
  readonly end: number
  /** Whether weight decay applies to this parameter. */
  readonly decays: boolean
}

export class ParameterLayout {
  readonly slots: readonly ParameterSlot[]
  /** How many numbers an array with all parameters holds; a multiple of what the vector instructions take at once. */
  readonly length: number
  /** The slots that decay and those that do not, each as one range. */
  readonly ranges: readonly ParameterRange[]

  /** Room for the float32 initializers `names` of `graph`. */
  constructor(graph: Graph, names: readonly ValueName[]) {
    const all = names.map((name) => {
      const tensor = graph.initializers.get(name)
      invariant(tensor?.type === 'float32', `${name} is a float32 initializer`)
      const { dims } = tensor
      return { name, dims, length: elementCount(dims), decays: dims.length > 1 }
    })
    let offset = 0
    this.slots = [...all.filter(({ decays }) => decays), ...all.filter(({ decays }) => !decays)].map(
      (slot) => {
        const placed = { ...slot, offset }
        offset += wholeLanes(slot.length)
        return placed
      },
    )
    this.length = offset
    const middle = this.slots.find(({ decays }) => !decays)?.offset ?? offset
    const ranges = [
      { start: 0, end: middle, decays: true },
      { start: middle, end: offset, decays: false },
    ]
    this.ranges = ranges.filter(({ start, end }) => end > start)
  }

  /** Copies the initializers of `graph` into `values`. */
  fill(values: Float32Array, graph: Graph): void {
    for (const { name, offset } of this.slots)
      values.set(graph.initializers.get(name)!.data as Float32Array, offset)
  }

  /** The part of `values` that belongs to each slot, by name; shares its memory. */
  views(values: Float32Array): Map<ValueName, Float32Array> {
    return new Map(
      this.slots.map(({ name, offset, length }) => [name, values.subarray(offset, offset + length)]),
    )
  }

  /** Tensors over `values`, by name; they share its memory. */
  tensors(values: Float32Array): Map<ValueName, FloatTensor> {
    return new Map(
      this.slots.map(({ name, dims, offset, length }) => [
        name,
        { type: 'float32', dims, data: values.subarray(offset, offset + length) },
      ]),
    )
  }
}
