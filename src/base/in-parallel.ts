/** Work on many items, some at a time. Invariant: results are in the order of the items; no more than `most` are in work. */

import { invariant } from './assert.js'

/**
 * Calls `work` once for each item, `most` at the same time. The first error ends it: no further item is begun, and it is
 * thrown when those in work have ended.
 */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  most: number,
  work: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  invariant(Number.isInteger(most) && most >= 1, 'at least one item is in work')
  const results: Result[] = []
  let next = 0
  let failure: { readonly thrown: unknown } | undefined
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, run))
  if (failure !== undefined) throw failure.thrown
  return results

  async function run(): Promise<void> {
    while (next < items.length && failure === undefined) {
      const index = next++
      try {
        results[index] = await work(items[index]!, index)
      } catch (thrown) {
        failure ??= { thrown }
      }
    }
  }
}
