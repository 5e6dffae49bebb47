/**
 * The scores of one picture that pass the threshold, before overlapping boxes are removed.
 * Invariant: a candidate is one number, ordered by falling score, then by rising anchor, then by rising class, so that
 * a plain numeric sort ranks thousands of them without an object or a comparison function.
 *
 *     key = (bits of 1.0 - bits of the score) * stride + anchor * classCount + classIndex
 *
 * The bits of positive floats rise with their value, so the score is recovered exactly.
 */

import { invariant } from '../base/assert.js'

const one = new Float32Array([1])
const bitsOfOne = new Int32Array(one.buffer)[0]!
/** About 1e-19. Above it, the first part of a key needs 29 bits, which leaves 24 of a double's 53 for the second part. */
const smallestBits = 2 ** 29

/** A growing list of candidates, made once per model and refilled for each picture. */
export class CandidateList {
  readonly #classCount: number
  /** A power of two above every anchor * classCount + classIndex: dividing by it is exact. */
  readonly #stride: number
  readonly #score = new Float32Array(1)
  readonly #scoreBits = new Int32Array(this.#score.buffer)
  #keys = new Float64Array(1024)
  #length = 0

  constructor(anchorCount: number, classCount: number) {
    this.#classCount = classCount
    this.#stride = 2 ** Math.ceil(Math.log2(anchorCount * classCount + 1))
    invariant(this.#stride <= 2 ** 24, `${anchorCount} anchors with ${classCount} classes fit a sort key`)
  }

  get length(): number {
    return this.#length
  }

  clear(): void {
    this.#length = 0
  }

  /** Adds a candidate. `score` is rounded to float32 and limited to 1; one below 1e-18, or not a number, is left out. */
  push(anchor: number, classIndex: number, score: number): void {
    this.#score[0] = score > 1 ? 1 : score
    const bits = this.#scoreBits[0]!
    if (bits < smallestBits || bits > bitsOfOne) return
    if (this.#length === this.#keys.length) this.#grow()
    this.#keys[this.#length++] = (bitsOfOne - bits) * this.#stride + anchor * this.#classCount + classIndex
  }

  /** Sorts by falling score; keeps the first `limit`. */
  rank(limit: number): void {
    this.#keys.subarray(0, this.#length).sort()
    this.#length = Math.min(this.#length, limit)
  }

  scoreAt(rank: number): number {
    this.#scoreBits[0] = bitsOfOne - Math.floor(this.#keys[rank]! / this.#stride)
    return this.#score[0]!
  }

  anchorAt(rank: number): number {
    return Math.floor((this.#keys[rank]! % this.#stride) / this.#classCount)
  }

  classAt(rank: number): number {
    return (this.#keys[rank]! % this.#stride) % this.#classCount
  }

  #grow(): void {
    const larger = new Float64Array(this.#keys.length * 2)
    larger.set(this.#keys)
    this.#keys = larger
  }
}
