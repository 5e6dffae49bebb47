/**
 * Index mapping between a graph and its pruned form: which old place each new place is.
 * Invariant: kept places stay in order.
 */

/** A set of groups that go, as a flag for each group. */
export type RemovedGroups = Uint8Array

/** The flags of the listed groups. */
export function removedGroups(count: number, groups: Iterable<number>): RemovedGroups {
  const removed = new Uint8Array(count)
  for (const group of groups) removed[group] = 1
  return removed
}

/** New place -> old place: the places whose group stays. */
export function keptPlaces(groups: Int32Array, removed: RemovedGroups): number[] {
  const kept: number[] = []
  for (let place = 0; place < groups.length; place++) {
    const group = groups[place]!
    if (group < 0 || removed[group] !== 1) kept.push(place)
  }
  return kept
}

/** Old places that go. */
export function removedPlaces(groups: Int32Array, removed: RemovedGroups): number[] {
  const places: number[] = []
  for (let place = 0; place < groups.length; place++) {
    const group = groups[place]!
    if (group >= 0 && removed[group] === 1) places.push(place)
  }
  return places
}

/** How many places stay. */
export function countKept(groups: Int32Array, removed: RemovedGroups): number {
  let count = 0
  for (const group of groups) if (group < 0 || removed[group] !== 1) count++
  return count
}
