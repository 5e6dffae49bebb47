/**
 * A bounded FIFO that drops the oldest entry when full, and counts what it dropped.
 *
 *     head                    tail
 *      v                       v
 *     [a][b][c][ ][ ][ ]   push writes at tail; take reads at head; both wrap
 *
 * Invariant: size never exceeds the capacity; dropped only grows.
 */

import { invariant } from './assert.js'

export class DropQueue<T> {
  readonly capacity: number
  readonly #slots: (T | undefined)[]
  #head = 0
  #size = 0
  #dropped = 0

  constructor(capacity: number) {
    invariant(
      Number.isInteger(capacity) && capacity > 0,
      `queue capacity is a positive integer, got ${capacity}`,
    )
    this.capacity = capacity
    this.#slots = new Array<T | undefined>(capacity)
  }

  get size(): number {
    return this.#size
  }

  /** How many entries were dropped since construction. */
  get dropped(): number {
    return this.#dropped
  }

  /** Appends `value`; returns the entry dropped for it, if the queue was full. */
  push(value: T): T | undefined {
    let lost: T | undefined
    if (this.#size === this.capacity) {
      lost = this.take()
      this.#dropped++
    }
    this.#slots[(this.#head + this.#size) % this.capacity] = value
    this.#size++
    return lost
  }

  /** Removes and returns the oldest entry, or undefined when empty. */
  take(): T | undefined {
    if (this.#size === 0) return undefined
    const value = this.#slots[this.#head]
    this.#slots[this.#head] = undefined
    this.#head = (this.#head + 1) % this.capacity
    this.#size--
    return value
  }
}
