/**
 * The velocity that the tracks of a camera have in common, where they have one: on a conveyor or a road all move alike.
 * Invariant: zero as long as the velocities differ about as much as they have in common.
 */

import type { TrackStates } from './track-states.js'

/** What a frame adds to the memory, for each track in it. */
const share = 0.02
/** Tracks that must have been seen before anything is concluded. */
const seenMin = 20
/** Counting ends here: the memory is full long before. */
const seenMax = 1_000_000
/** The mean velocity is common when it is this many times the standard deviation about it. */
const clearness = 2

export class CommonMotion {
  #seen = 0
  /** Mean velocity, and mean of the squared length of what velocities differ by: in an array, where writing allocates nothing. */
  readonly #means = new Float64Array(3)

  /** Pixels a step; 0 where there is no common velocity. */
  get velocityX(): number {
    return this.#isCommon() ? this.#means[0]! : 0
  }

  get velocityY(): number {
    return this.#isCommon() ? this.#means[1]! : 0
  }

  /** Learns from the tracks of a frame that were seen in it: those of the slots `live[0..count)` for which `isSeen` holds. */
  take(states: TrackStates, live: Int32Array, count: number, isSeen: (slot: number) => boolean): void {
    const { velocities } = states
    for (let index = 0; index < count; index++) {
      const slot = live[index]!
      if (!isSeen(slot)) continue
      this.#seen = Math.min(seenMax, this.#seen + 1)
      const weight = Math.max(share, 1 / this.#seen)
      const differenceX = velocities[slot * 4]! - this.#means[0]!
      const differenceY = velocities[slot * 4 + 1]! - this.#means[1]!
      this.#means[0]! += weight * differenceX
      this.#means[1]! += weight * differenceY
      const squared = differenceX * differenceX + differenceY * differenceY
      this.#means[2]! += weight * (squared - this.#means[2]!)
    }
  }

  /** The picture has changed its size by these factors. */
  rescale(scaleX: number, scaleY: number): void {
    this.#means[0]! *= scaleX
    this.#means[1]! *= scaleY
    this.#means[2]! *= Math.max(scaleX, scaleY) ** 2
  }

  #isCommon(): boolean {
    const [x, y, spread] = [this.#means[0]!, this.#means[1]!, this.#means[2]!]
    return this.#seen >= seenMin && x * x + y * y > clearness * clearness * spread
  }
}
