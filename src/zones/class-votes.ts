/**
 * Of which class a track is, by the sum of the scores of its frames: a detector mistakes a class now and then.
 * A track remembers four classes, and a fifth takes the place of the weakest with its weight (the space-saving count: A. Metwally
 * et al., Efficient Computation of Frequent and Top-k Elements in Data Streams, ICDT 2005), so that memory does not grow with
 * the classes of a model.
 * Invariant: `best` has the largest weight of those that are remembered.
 */

const candidates = 4

export class ClassVotes {
  #classes = new Int32Array(0)
  #weights = new Float64Array(0)

  /** Room for tracks 0..`count` - 1; votes so far stay. */
  grow(count: number): void {
    const classes = new Int32Array(count * candidates)
    const weights = new Float64Array(count * candidates)
    classes.set(this.#classes)
    weights.set(this.#weights)
    this.#classes = classes
    this.#weights = weights
  }

  /** Forgets the votes of `track`. */
  clear(track: number): void {
    this.#weights.fill(0, track * candidates, (track + 1) * candidates)
  }

  /** One frame in which `track` looked like `classIndex`. */
  add(track: number, classIndex: number, score: number): void {
    const from = track * candidates
    let weakest = from
    for (let at = from; at < from + candidates; at++) {
      if (this.#weights[at]! > 0 && this.#classes[at] === classIndex) {
        this.#weights[at]! += score
        return
      }
      if (this.#weights[at]! < this.#weights[weakest]!) weakest = at
    }
    this.#classes[weakest] = classIndex
    this.#weights[weakest]! += score
  }

  /** The class with most votes; of one that is as strong the first; -1 before the first vote. */
  best(track: number): number {
    const from = track * candidates
    let best = from
    for (let at = from + 1; at < from + candidates; at++)
      if (this.#weights[at]! > this.#weights[best]!) best = at
    return this.#weights[best]! > 0 ? this.#classes[best]! : -1
  }
}
