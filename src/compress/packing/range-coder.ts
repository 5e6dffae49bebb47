/**
 * A binary range coder with adaptive probabilities (carry propagation as in LZMA's coder).
 * Invariant: a decoder that makes the same calls on models in the same state reads back what the encoder was given.
 */

import { AgentError } from '../../base/errors.js'

const top = 0x1000000
/** Probabilities are 16-bit fractions, the mean of one that learns fast and one that learns slowly. */
const half = 0x8000
const fastShift = 4
const slowShift = 7

/** Adaptive probabilities of `count` binary decisions: the chance that a bit is 0. */
export class BitModels {
  readonly fast: Uint16Array
  readonly slow: Uint16Array

  constructor(count: number) {
    this.fast = new Uint16Array(count).fill(half)
    this.slow = new Uint16Array(count).fill(half)
  }

  /** The range below which a bit is 0, for a coder with `range`. */
  bound(range: number, at: number): number {
    const chance = (this.fast[at]! + this.slow[at]!) >>> 5
    return Math.imul(range >>> 12, Math.min(4080, Math.max(16, chance))) >>> 0
  }

  learn(at: number, bit: number): void {
    if (bit === 0) {
      this.fast[at]! += (0xffff - this.fast[at]!) >> fastShift
      this.slow[at]! += (0xffff - this.slow[at]!) >> slowShift
    } else {
      this.fast[at]! -= this.fast[at]! >> fastShift
      this.slow[at]! -= this.slow[at]! >> slowShift
    }
  }
}

/** Writes bits; `finish` hands out the bytes and begins anew. */
export class RangeEncoder {
  #bytes: Uint8Array = new Uint8Array(4096)
  #length = 0
  #low = 0
  #range = 0xffffffff
  #cache = 0
  #pending = 1

  bit(models: BitModels, at: number, bit: number): void {
    const bound = models.bound(this.#range, at)
    if (bit === 0) this.#range = bound
    else {
      this.#low += bound
      this.#range = (this.#range - bound) >>> 0
    }
    models.learn(at, bit)
    while (this.#range < top) {
      this.#range = (this.#range << 8) >>> 0
      this.#shift()
    }
  }

  /** `count` bits (at most 16) without a model, highest first. */
  direct(value: number, count: number): void {
    for (let at = count - 1; at >= 0; at--) {
      this.#range >>>= 1
      if (((value >>> at) & 1) === 1) this.#low += this.#range
      while (this.#range < top) {
        this.#range = (this.#range << 8) >>> 0
        this.#shift()
      }
    }
  }

  finish(): Uint8Array {
    for (let at = 0; at < 5; at++) this.#shift()
    const bytes = this.#bytes.slice(0, this.#length)
    this.#length = 0
    this.#low = 0
    this.#range = 0xffffffff
    this.#cache = 0
    this.#pending = 1
    return bytes
  }

  #shift(): void {
    if (this.#low < 0xff000000 || this.#low > 0xffffffff) {
      const carry = this.#low > 0xffffffff ? 1 : 0
      let byte = this.#cache
      do {
        this.#push((byte + carry) & 0xff)
        byte = 0xff
      } while (--this.#pending > 0)
      this.#cache = Math.floor(this.#low / top) & 0xff
    }
    this.#pending++
    this.#low = (this.#low & 0xffffff) * 256
  }

  #push(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const longer = new Uint8Array(2 * this.#length)
      longer.set(this.#bytes)
      this.#bytes = longer
    }
    this.#bytes[this.#length++] = byte
  }
}

/** Reads what a RangeEncoder wrote between two `finish`. Reading past the end throws `protocol.payload_malformed`. */
export class RangeDecoder {
  readonly #bytes: Uint8Array
  #position = 1
  #range = 0xffffffff
  #code = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    for (let at = 0; at < 4; at++) this.#code = ((this.#code << 8) | this.#next()) >>> 0
  }

  bit(models: BitModels, at: number): number {
    const bound = models.bound(this.#range, at)
    let bit = 0
    if (this.#code < bound) this.#range = bound
    else {
      bit = 1
      this.#code = (this.#code - bound) >>> 0
      this.#range = (this.#range - bound) >>> 0
    }
    models.learn(at, bit)
    while (this.#range < top) this.#normalise()
    return bit
  }

  direct(count: number): number {
    let value = 0
    for (let at = 0; at < count; at++) {
      this.#range >>>= 1
      const bit = this.#code >= this.#range ? 1 : 0
      if (bit === 1) this.#code = (this.#code - this.#range) >>> 0
      value = (value << 1) | bit
      while (this.#range < top) this.#normalise()
    }
    return value
  }

  #normalise(): void {
    this.#range = (this.#range << 8) >>> 0
    this.#code = ((this.#code << 8) | this.#next()) >>> 0
  }

  #next(): number {
    const byte = this.#bytes[this.#position++]
    if (byte !== undefined) return byte
    throw new AgentError(
      'protocol.payload_malformed',
      `a packed block ends after ${this.#bytes.length} bytes, in the middle of a value`,
    )
  }
}
