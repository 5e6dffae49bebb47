/**
 * A second thread for kernels in shared memory: loops over arrays that one core alone takes long over, while the others have nothing to do.
 * Invariants: the partner works only between `begin` and `end`, on what it was given; a process that ends does not wait for it.
 */

import { Worker } from 'node:worker_threads'
import { invariant } from './assert.js'
import type { KernelMemory } from './web-assembly.js'

/** Cells of `PartnerOrders.cells`. */
export const orderCell = {
  /** How many orders have been given since the start. */
  given: 0,
  /** How many orders have been carried out since the start; -1 until the thread is ready. */
  done: 1,
  /** Which kernel the order asks for, as its place among the exports of the module; -1 asks the thread to end. */
  kernel: 2,
  /** How many arguments the order has in `PartnerOrders.values`. */
  count: 3,
} as const

/** The memory that the thread which gives orders shares with the one that carries them out. */
export interface PartnerOrders {
  /** The WebAssembly module of the kernels, in base64. */
  readonly module: string
  readonly memory: KernelMemory
  readonly cells: Int32Array
  /** The arguments of the order; once it is done, the first is its result. */
  readonly values: Float64Array
}

/** Functions of numbers; one that writes returns nothing. */
export type KernelFunctions = Readonly<Record<string, (...values: number[]) => number | undefined>>

/** The most arguments that an order can have; every kernel takes fewer. */
const valuesMax = 16
/** The longest time that an order may take, milliseconds; every one takes far less. */
const limitMs = 60_000
const workerFile = new URL('./kernel-worker.js', import.meta.url)

export class KernelPartner {
  readonly #orders: PartnerOrders
  readonly #names: readonly string[]
  readonly #worker: Worker
  #given = 0
  /** Whether `begin` was called and `end` was not, also when the order is carried out already. */
  #isOrdered = false
  #isClosed = false

  /** Starts the thread, which is ready a little later. `kernels` are the functions of `module`, of which it makes its own. */
  constructor(module: string, memory: KernelMemory, kernels: object) {
    this.#names = Object.keys(kernels)
    this.#orders = {
      module,
      memory,
      cells: new Int32Array(new SharedArrayBuffer(4 * Object.keys(orderCell).length)),
      values: new Float64Array(new SharedArrayBuffer(8 * valuesMax)),
    }
    this.#orders.cells[orderCell.done] = -1
    this.#worker = new Worker(workerFile, { workerData: this.#orders, execArgv: [] })
    this.#worker.unref()
    // A partner that could not start never becomes ready: its owner then works alone.
    this.#worker.on('error', () => undefined)
  }

  /** Whether an order may be given. */
  get isReady(): boolean {
    if (this.#isClosed || this.#isOrdered) return false
    return Atomics.load(this.#orders.cells, orderCell.done) === this.#given
  }

  /** Gives an order: a kernel by its name, and its arguments. The partner has to be ready, and `end` has to follow. */
  begin(kernel: string, values: readonly number[]): void {
    invariant(this.isReady, 'the partner has started, and its last order was ended')
    this.#isOrdered = true
    this.#orders.values.set(values)
    this.#give(this.#names.indexOf(kernel), values.length)
  }

  /** Blocks until the order is carried out, and gives its result, 0 for a kernel that writes. */
  end(): number {
    invariant(this.#isOrdered, 'the partner has an order')
    const waited = Atomics.wait(this.#orders.cells, orderCell.done, this.#given - 1, limitMs)
    invariant(waited !== 'timed-out', 'the partner carries out its order')
    this.#isOrdered = false
    return this.#orders.values[0]!
  }

  /** Ends the thread. Idempotent. */
  async close(): Promise<void> {
    if (this.isReady) this.#give(-1, 0)
    this.#isClosed = true
    await this.#worker.terminate()
  }

  #give(kernel: number, count: number): void {
    const { cells } = this.#orders
    cells[orderCell.kernel] = kernel
    cells[orderCell.count] = count
    this.#given++
    Atomics.store(cells, orderCell.given, this.#given)
    Atomics.notify(cells, orderCell.given)
  }
}
