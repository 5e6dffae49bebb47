/**
 * Arrays as long as a network has parameters, and the loops over them that a training step spends its time in: four numbers at a time, in
 * WebAssembly, because the same loops in JavaScript take five times as long. The memory is shared, so that sessions in other threads read
 * weights and write gradients where they lie.
 * Invariants: an array lies in the memory that made it and never moves; kernels read and write only arrays of their own memory.
 */

import { invariant } from '../../base/assert.js'
import { type KernelFunctions, KernelPartner } from '../../base/kernel-partner.js'
import { kernelsOf, reserveMemory } from '../../base/web-assembly.js'
import { vectorKernels } from './vector-kernels.js'

/** Kernels take so many numbers at a time: a range begins at a multiple of it, and so does what follows. */
export const lanes = 4

/** `count` rounded up to whole lanes. */
export function wholeLanes(count: number): number {
  return Math.ceil(count / lanes) * lanes
}

/** What one optimizer step does to a range of parameters. The gradient is taken `scale` times. */
export interface SgdStep {
  readonly scale: number
  readonly rate: number
  readonly momentum: number
  /** The share of the weight itself that is added to its gradient. */
  readonly decay: number
}

export interface AdamWStep {
  readonly scale: number
  /** What a gradient and its square add to their running means, 0..1. */
  readonly meanShare: number
  readonly squareShare: number
  /** The factor of each weight before it is moved: 1 less the decay of the step. */
  readonly kept: number
  /** Learning rate and factor of the squares, both corrected for the means having begun at zero. */
  readonly stride: number
  readonly spread: number
}

const withMemory = kernelsOf<KernelFunctions>(vectorKernels)

/** Ranges from so many numbers on are worth waking a second thread for. */
const sharedFrom = 1 << 16

export class VectorMemory {
  /** How many numbers each array holds; a multiple of what the vector instructions take at once. */
  readonly length: number
  readonly #buffer: SharedArrayBuffer
  readonly #kernels: KernelFunctions
  readonly #partner: KernelPartner | undefined
  #taken = 0

  /**
   * Room for `arrays` arrays of `length` numbers (rounded up to whole lanes). Of two threads, each works on half of a long range; results
   * are the same, bit by bit. Throws `resource.memory_exhausted`.
   */
  constructor(length: number, arrays: number, threads = 1) {
    this.length = Math.max(lanes, wholeLanes(length))
    const memory = reserveMemory(
      4 * this.length * arrays,
      'the parameters of the network and what goes with them',
    )
    this.#buffer = memory.buffer
    this.#kernels = withMemory(memory)
    const isShared = threads > 1 && this.length >= sharedFrom
    this.#partner = isShared ? new KernelPartner(vectorKernels, memory, this.#kernels) : undefined
  }

  /** Whether a second thread takes part now. */
  get isShared(): boolean {
    return this.#partner?.isReady === true
  }

  /** One of the arrays, all zeros. Its owner keeps it as long as the memory. */
  take(): Float32Array {
    const start = 4 * this.length * this.#taken
    invariant(start + 4 * this.length <= this.#buffer.byteLength, 'the memory has room for this array')
    this.#taken++
    return new Float32Array(this.#buffer, start, this.length)
  }

  /** The sum of the squares of `values`, right to about a millionth of it; infinite where numbers reach 1e19. */
  sumOfSquares(values: Float32Array): number {
    return this.#onHalves('sumOfSquares', [values], [])
  }

  /** `into` moves by `share` (0..1) of the way to `from`; on this thread alone, for it is done while others compute. */
  blend(into: Float32Array, from: Float32Array, share: number): void {
    this.#kernels['blend']!(this.#address(into), this.#address(from), into.length, share)
  }

  /** One step of SGD with Nesterov's momentum; all four are ranges of the same length. */
  sgd(
    weights: Float32Array,
    velocity: Float32Array,
    gradient: Float32Array,
    { scale, rate, momentum, decay }: SgdStep,
  ): void {
    this.#onHalves('sgd', [weights, velocity, gradient], [scale, rate, momentum, decay])
  }

  /** One step of AdamW; all four are ranges of the same length. */
  adamW(
    weights: Float32Array,
    mean: Float32Array,
    square: Float32Array,
    gradient: Float32Array,
    { scale, meanShare, squareShare, kept, stride, spread }: AdamWStep,
  ): void {
    const numbers = [scale, meanShare, squareShare, kept, stride, spread]
    this.#onHalves('adamW', [weights, mean, square, gradient], numbers)
  }

  /** Ends the second thread; the arrays stay. */
  async close(): Promise<void> {
    await this.#partner?.close()
  }

  /** Runs a kernel on ranges of the same length, half by half where they are long, and adds up what it returns. */
  #onHalves(kernel: string, ranges: readonly Float32Array[], numbers: readonly number[]): number {
    const places = ranges.map((range) => this.#address(range))
    const count = ranges[0]!.length
    const middle = count < sharedFrom ? count : wholeLanes(count / 2)
    const own = [...places, middle, ...numbers]
    const run = (values: readonly number[]): number => this.#kernels[kernel]!(...values) ?? 0
    if (middle === count) return run(own)
    const others = [...places.map((place) => place + 4 * middle), count - middle, ...numbers]
    const partner = this.isShared ? this.#partner : undefined
    partner?.begin(kernel, others)
    const found = run(own)
    return found + (partner?.end() ?? run(others))
  }

  #address(values: Float32Array): number {
    invariant(values.buffer === this.#buffer, 'the array lies in this memory')
    invariant(values.length > 0 && values.length % lanes === 0, 'the range has whole lanes')
    return values.byteOffset
  }
}
