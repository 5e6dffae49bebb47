/** Damages bytes as disks, links and attackers do. Invariant: the same seed damages the same way. */

import type { Random } from '../../src/base/random.js'

type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array

const interesting = [0, 1, 0x7f, 0x80, 0xff] as const

const mutations: readonly Mutation[] = [
  // Single bits, spread.
  (bytes, random) => {
    const damaged = bytes.slice()
    for (let count = 1 + random.integer(8); count > 0; count--)
      damaged[random.integer(damaged.length)]! ^= 1 << random.integer(8)
    return damaged
  },
  // Bytes with meaning to a varint.
  (bytes, random) => {
    const damaged = bytes.slice()
    for (let count = 1 + random.integer(8); count > 0; count--)
      damaged[random.integer(damaged.length)] = interesting[random.integer(interesting.length)]!
    return damaged
  },
  // Cut short.
  (bytes, random) => bytes.slice(0, random.integer(bytes.length)),
  // A piece is missing, twice there, or somewhere else.
  (bytes, random) => {
    const [start, end] = piece(bytes, random)
    return concat(bytes.subarray(0, start), bytes.subarray(end))
  },
  (bytes, random) => {
    const [start, end] = piece(bytes, random)
    return concat(bytes.subarray(0, end), bytes.subarray(start))
  },
  (bytes, random) => {
    const [start, end] = piece(bytes, random)
    const at = random.integer(bytes.length)
    return concat(bytes.subarray(0, at), bytes.subarray(start, end), bytes.subarray(at))
  },
  // Lengths that promise far more than there is.
  (bytes, random) => {
    const at = random.integer(bytes.length)
    return concat(bytes.subarray(0, at), Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x7f), bytes.subarray(at))
  },
  // Noise.
  (bytes, random) =>
    Uint8Array.from({ length: 1 + random.integer(Math.min(4096, bytes.length)) }, () => random.integer(256)),
]

function piece(bytes: Uint8Array, random: Random): readonly [start: number, end: number] {
  const start = random.integer(bytes.length)
  return [start, Math.min(bytes.length, start + 1 + random.integer(256))]
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

/** A damaged copy of `bytes`, which is not empty. */
export function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  return mutations[random.integer(mutations.length)]!(bytes, random)
}
