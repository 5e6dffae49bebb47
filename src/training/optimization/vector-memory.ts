/**
 * Arrays as long as a network has parameters, and the loops over them that a training step spends its time in: four numbers at a time, in
 * WebAssembly, because the same loops in JavaScript take five times as long. The memory is shared, so that sessions in other threads read
 * weights and write gradients where they lie.
 * Invariants: an array lies in the memory that made it and never moves; kernels read and write only arrays of their own memory.
 */

import { invariant } from '../../base/assert.js'
import { kernelsOf, reserveMemory } from '../../base/web-assembly.js'
import { vectorKernels } from './vector-kernels.js'

/** Kernels take so many numbers at a time: a range begins at a multiple of it, and so does what follows. */
export const lanes = 4

/** `count` rounded up to whole lanes. */
export function wholeLanes(count: number): number {
  return Math.ceil(count / lanes) * lanes
}

/** What one optimiser step does to a range of parameters. The gradient is taken `scale` times. */
export interface SgdStep {
  readonly scale: number
  readonly rate: number
  readonly momentum: number
  /** Of the weight itself, added to the gradient. */
  readonly decay: number
}

export interface AdamWStep {
  readonly scale: number
  /** What a gradient and its square add to their running means, 0..1. */
  readonly meanShare: number
  readonly squareShare: number
  /** What a weight keeps of itself. */
  readonly kept: number
  /** Learning rate and factor of the squares, both corrected for the means having begun at zero. */
  readonly stride: number
  readonly spread: number
}

interface Kernels {
  sumOfSquares(values: number, count: number): number
  blend(into: number, from: number, count: number, share: number): void
  sgd(
    weights: number,
    velocity: number,
    gradient: number,
    count: number,
    scale: number,
    rate: number,
    momentum: number,
    decay: number,
  ): void
  adamW(
    weights: number,
    mean: number,
    square: number,
    gradient: number,
    count: number,
    scale: number,
    meanShare: number,
    squareShare: number,
    kept: number,
    stride: number,
    spread: number,
  ): void
}

const withMemory = kernelsOf<Kernels>(vectorKernels)

export class VectorMemory {
  /** Of each array, in numbers; whole lanes. */
  readonly length: number
  readonly #buffer: SharedArrayBuffer
  readonly #kernels: Kernels
  #taken = 0

  /** Room for `arrays` arrays of `length` numbers (rounded up to whole lanes). Throws `resource.memory_exhausted`. */
  constructor(length: number, arrays: number) {
    this.length = Math.max(lanes, wholeLanes(length))
    const memory = reserveMemory(
      4 * this.length * arrays,
      'the parameters of the network and what goes with them',
    )
    this.#buffer = memory.buffer
    this.#kernels = withMemory(memory)
  }

  /** One of the arrays, all zeros. Its owner keeps it as long as the memory. */
  take(): Float32Array {
    const start = 4 * this.length * this.#taken
    invariant(start + 4 * this.length <= this.#buffer.byteLength, 'the memory has room for this array')
    this.#taken++
    return new Float32Array(this.#buffer, start, this.length)
  }

  /** To about a millionth of the sum; infinite from numbers of 1e19 on. */
  sumOfSquares(values: Float32Array): number {
    return this.#kernels.sumOfSquares(this.#address(values), values.length)
  }

  /** `into` moves by `share` (0..1) of the way to `from`. */
  blend(into: Float32Array, from: Float32Array, share: number): void {
    this.#kernels.blend(this.#address(into), this.#address(from), into.length, share)
  }

  /** One step of SGD with Nesterov's momentum; all four are ranges of the same length. */
  sgd(
    weights: Float32Array,
    velocity: Float32Array,
    gradient: Float32Array,
    { scale, rate, momentum, decay }: SgdStep,
  ): void {
    const at = [weights, velocity, gradient].map((array) => this.#address(array))
    this.#kernels.sgd(at[0]!, at[1]!, at[2]!, weights.length, scale, rate, momentum, decay)
  }

  /** One step of AdamW; all four are ranges of the same length. */
  adamW(
    weights: Float32Array,
    mean: Float32Array,
    square: Float32Array,
    gradient: Float32Array,
    { scale, meanShare, squareShare, kept, stride, spread }: AdamWStep,
  ): void {
    const at = [weights, mean, square, gradient].map((array) => this.#address(array))
    this.#kernels.adamW(
      at[0]!,
      at[1]!,
      at[2]!,
      at[3]!,
      weights.length,
      scale,
      meanShare,
      squareShare,
      kept,
      stride,
      spread,
    )
  }

  #address(values: Float32Array): number {
    invariant(values.buffer === this.#buffer, 'the array lies in this memory')
    invariant(values.length > 0 && values.length % lanes === 0, 'the range has whole lanes')
    return values.byteOffset
  }
}
