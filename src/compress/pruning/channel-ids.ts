/**
 * Symbolic channel ids: one integer for each channel that some node makes, joined into classes as couplings are found.
 * Invariant: two ids share a class exactly when a chain of `join` calls connects them; a frozen class stays frozen.
 */

/** Marks a place along an axis that belongs to no symbolic channel (image planes, constants). */
export const untracked = -1

export class ChannelIds {
  readonly #parents: number[] = []
  /** Class root -> why its channels must stay; the first reason found. */
  readonly #frozen = new Map<number, string>()

  get count(): number {
    return this.#parents.length
  }

  /** Makes `count` new ids, each in a class of its own. */
  fresh(count: number): Int32Array {
    const first = this.#parents.length
    for (let index = 0; index < count; index++) this.#parents.push(first + index)
    return Int32Array.from({ length: count }, (_, index) => first + index)
  }

  /** The class of an id: the id of its root. */
  classOf(id: number): number {
    let root = id
    while (this.#parents[root] !== root) root = this.#parents[root]!
    for (let at = id; at !== root;) {
      const next = this.#parents[at]!
      this.#parents[at] = root
      at = next
    }
    return root
  }

  /** Puts two ids into one class. */
  join(left: number, right: number): void {
    const [keep, drop] = [this.classOf(left), this.classOf(right)]
    if (keep === drop) return
    this.#parents[drop] = keep
    const reason = this.#frozen.get(drop)
    if (reason !== undefined && !this.#frozen.has(keep)) this.#frozen.set(keep, reason)
  }

  /** Joins two lists element by element; where one side is untracked, the other is frozen for `reason`. */
  joinAll(left: Int32Array, right: Int32Array, reason: string): void {
    for (let index = 0; index < left.length; index++) {
      const [a, b] = [left[index]!, right[index]!]
      if (a === untracked && b === untracked) continue
      if (a === untracked) this.freeze(b, reason)
      else if (b === untracked) this.freeze(a, reason)
      else this.join(a, b)
    }
  }

  /** Keeps the class of `id` for ever. */
  freeze(id: number, reason: string): void {
    if (id === untracked) return
    const root = this.classOf(id)
    if (!this.#frozen.has(root)) this.#frozen.set(root, reason)
  }

  /** Why the class of `id` must stay, or undefined where it may go. */
  frozenBecause(id: number): string | undefined {
    return this.#frozen.get(this.classOf(id))
  }
}
