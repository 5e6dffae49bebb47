/**
 * How the elements of a tensor are coded: a zero flag from its surroundings, then sign and size, so that sparse and
 * few-bit weights cost close to their entropy.
 * Invariant: coding is byte-exact for any element size and any content; models live as long as the tensor.
 */

import { BitModels, type RangeDecoder, type RangeEncoder } from './range-coder.js'

/** What is known of a tensor before its elements. */
export interface ElementLayout {
  /** Bytes of an element: 1, 2, 4 or 8. */
  readonly elementBytes: number
  /** Elements of one kernel slice: the distance to the same place in the previous input channel. */
  readonly slice: number
  /** The byte that stands for zero in elements of one byte: the zero point of unsigned weights. */
  readonly zero: number
}

/** Zero flags see: zero just before, zero one slice before, place in the slice group of four, zeros in that group. */
const neighbourContexts = 2 * 2 * 4 * 4
/** Zero flags and sizes see how large the elements have been lately, in quarter octaves. */
const levels = 24

/** Bytes of wide elements below the two highest carry no pattern and go uncoded. */
const modelledBytes = 2

/** The context of the next element: kept by reading back what is already there. */
export class ElementCoder {
  readonly #layout: ElementLayout
  readonly #zeros = new BitModels(neighbourContexts * levels)
  readonly #sizes: BitModels
  readonly #wide: BitModels
  #index = 0
  /** Running mean of sizes, in 1/256. */
  #level = 16 * 256
  /** Zero flags (bit 7) and sizes of the last elements, in a ring long enough for three slices. */
  readonly #past: Uint8Array
  readonly #mask: number

  constructor(layout: ElementLayout) {
    this.#layout = layout
    this.#sizes = new BitModels(levels * 128)
    this.#wide = new BitModels(layout.elementBytes > 1 ? modelledBytes * 256 : 1)
    let length = 8
    while (length < 4 * layout.slice) length *= 2
    this.#past = new Uint8Array(length).fill(0x80)
    this.#mask = length - 1
  }

  encode(bytes: Uint8Array, coder: RangeEncoder): void {
    const step = this.#layout.elementBytes
    for (let at = 0; at < bytes.length; at += step) {
      const zero = step === 1 ? bytes[at] === this.#layout.zero : isZero(bytes, at, step)
      coder.bit(this.#zeros, this.#zeroContext(), zero ? 0 : 1)
      if (zero) this.#push(0x80)
      else if (step === 1) this.#push(this.#encodeByte(bytes[at]!, coder))
      else this.#push(this.#encodeWide(bytes, at, coder))
    }
  }

  /** Fills `bytes`, whose length is a multiple of the element size. */
  decode(bytes: Uint8Array, coder: RangeDecoder): void {
    const step = this.#layout.elementBytes
    for (let at = 0; at < bytes.length; at += step) {
      if (coder.bit(this.#zeros, this.#zeroContext()) === 0) {
        bytes.fill(step === 1 ? this.#layout.zero : 0, at, at + step)
        this.#push(0x80)
      } else if (step === 1) {
        bytes[at] = this.#decodeByte(coder)
        this.#push(Math.min(127, sizeOf(bytes[at]! - this.#layout.zero)))
      } else this.#push(this.#decodeWide(bytes, at, coder))
    }
  }

  #encodeByte(byte: number, coder: RangeEncoder): number {
    const signed = ((byte - this.#layout.zero) << 24) >> 24
    const size = Math.abs(signed)
    const base = this.#levelClass() << 7
    // -128 has size 128: seven bits of size - 1 hold 1..128.
    let node = 1
    for (let bit = 6; bit >= 0; bit--) {
      const value = ((size - 1) >> bit) & 1
      coder.bit(this.#sizes, base + node, value)
      node = (node << 1) | value
    }
    coder.direct(signed < 0 ? 1 : 0, 1)
    return Math.min(127, size)
  }

  #decodeByte(coder: RangeDecoder): number {
    const base = this.#levelClass() << 7
    let node = 1
    for (let bit = 0; bit < 7; bit++) node = (node << 1) | coder.bit(this.#sizes, base + node)
    const size = (node & 127) + 1
    return (this.#layout.zero + (coder.direct(1) === 1 ? -size : size)) & 0xff
  }

  /** The highest bytes (sign, exponent, first mantissa bits of a float) by model, the others as they are. */
  #encodeWide(bytes: Uint8Array, at: number, coder: RangeEncoder): number {
    const step = this.#layout.elementBytes
    for (let plane = 0; plane < step; plane++) {
      const byte = bytes[at + step - 1 - plane]!
      if (plane >= modelledBytes) {
        coder.direct(byte, 8)
        continue
      }
      let node = 1
      for (let bit = 7; bit >= 0; bit--) {
        const value = (byte >> bit) & 1
        coder.bit(this.#wide, plane * 256 + node, value)
        node = (node << 1) | value
      }
    }
    return 1
  }

  #decodeWide(bytes: Uint8Array, at: number, coder: RangeDecoder): number {
    const step = this.#layout.elementBytes
    for (let plane = 0; plane < step; plane++) {
      let node = 1
      if (plane >= modelledBytes) node = coder.direct(8)
      else for (let bit = 0; bit < 8; bit++) node = (node << 1) | coder.bit(this.#wide, plane * 256 + node)
      bytes[at + step - 1 - plane] = node & 0xff
    }
    return 1
  }

  #zeroContext(): number {
    const { slice } = this.#layout
    const place = Math.floor(this.#index / slice) & 3
    let zeros = 0
    for (let back = 1; back <= place; back++) zeros += this.#back(back * slice) >> 7
    const neighbours = (this.#back(1) >> 7) * 32 + (this.#back(slice) >> 7) * 16 + place * 4 + zeros
    return neighbours * levels + this.#levelClass()
  }

  #levelClass(): number {
    // 2 * log2 of the level, by the position and the next bit of its highest one.
    const octave = 31 - Math.clz32(this.#level | 1)
    const next = (this.#level >> Math.max(0, octave - 1)) & 1
    return Math.min(levels - 1, Math.max(0, 2 * octave + next - 8))
  }

  #back(distance: number): number {
    return this.#past[(this.#index - distance) & this.#mask]!
  }

  #push(size: number): void {
    this.#past[this.#index & this.#mask] = size
    this.#index++
    // Zeros say little about the size of what is not zero.
    if (size !== 0x80) this.#level += ((size << 8) - this.#level) >> 4
  }
}

function sizeOf(byte: number): number {
  return Math.abs((byte << 24) >> 24)
}

function isZero(bytes: Uint8Array, at: number, step: number): boolean {
  for (let offset = 0; offset < step; offset++) if (bytes[at + offset] !== 0) return false
  return true
}
