/** Seeded pseudo-random numbers. Invariant: the same seed gives the same sequence on every machine. */

export interface Random {
  /** Uniform in [0, 1). */
  next(): number
  /** Uniform integer in [0, below). */
  integer(below: number): number
  /** Normal with mean 0 and standard deviation 1 (Box-Muller). */
  normal(): number
}

/** A generator seeded with a 32-bit integer: mulberry32 (Tommy Ettinger, public domain algorithm). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
  return {
    next,
    integer: (below) => Math.floor(next() * below),
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  }
}

/** Shuffles in place (Fisher-Yates) and returns the same array. */
export function shuffle<T>(values: T[], random: Random): T[] {
  for (let index = values.length - 1; index > 0; index--) {
    const other = random.integer(index + 1)
    const held = values[index]!
    values[index] = values[other]!
    values[other] = held
  }
  return values
}
