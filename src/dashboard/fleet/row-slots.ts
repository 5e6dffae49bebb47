/**
 * Which element shows which row, where elements are used again for other rows.
 * Invariant: a row that stays in sight keeps its slot; no two rows in sight share one; slots are numbered from 0 without gaps
 * beyond the largest number of rows that were in sight at once.
 */
export class RowSlots {
  #slots = new Map<string, number>()

  /** The slot of each of the rows in sight, by their names, which must differ. */
  assign(names: readonly string[]): readonly number[] {
    const next = new Map<string, number>()
    const taken = new Set<number>()
    for (const name of names) {
      const slot = this.#slots.get(name)
      if (slot === undefined || slot >= names.length) continue
      next.set(name, slot)
      taken.add(slot)
    }
    let free = 0
    for (const name of names) {
      if (next.has(name)) continue
      while (taken.has(free)) free++
      next.set(name, free++)
    }
    this.#slots = next
    return names.map((name) => next.get(name)!)
  }
}
