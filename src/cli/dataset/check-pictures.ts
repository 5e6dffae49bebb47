/**
 * A look at every picture of a data set before the first is used.
 * Invariant: the work is bounded and off the main thread; a picture that cannot be read, or whose labels do not fit, is left
 * out by name, and the others keep their order.
 */

import { AgentError, isAgentError } from '../../base/errors.js'
import { inParallel } from '../../base/in-parallel.js'
import { checkImage } from '../../camera/check-image.js'
import { type ImageSize, readRgb } from '../../camera/read-image.js'
import type { LeftOut } from './dataset.js'

/** Pictures that are looked at in the same moment: libuv reads four files at a time, and sharp has its own threads. */
export const checksAtOnce = 8

/** Ultralytics leaves out pictures with a shorter side. */
const sideLeast = 10

export interface CheckedPictures<Result> {
  readonly read: readonly Result[]
  readonly leftOut: readonly LeftOut[]
}

/**
 * Looks at each of `items` and calls `read` with the size of its upright picture; `whole` decodes each picture whole.
 * Only `image.decode_failed` and `dataset.label_invalid` leave a picture out, whoever throws them.
 */
export async function checkPictures<Item extends { readonly path: string }, Result>(
  items: readonly Item[],
  whole: boolean,
  read: (item: Item, size: ImageSize, index: number) => Result,
): Promise<CheckedPictures<Result>> {
  const results: Result[] = []
  const leftOut: LeftOut[] = []
  const looked = await inParallel(items, checksAtOnce, async (item, index) => {
    try {
      const size = await checkImage(item.path)
      if (Math.min(size.width, size.height) < sideLeast)
        throw new AgentError(
          'image.decode_failed',
          `${item.path} has ${size.width}x${size.height} pixels, expected at least ${sideLeast}x${sideLeast}`,
        )
      if (whole) await readRgb(item.path)
      return { result: read(item, size, index) }
    } catch (thrown) {
      if (!isAgentError(thrown, 'image.decode_failed', 'dataset.label_invalid')) throw thrown
      return { problem: thrown.message }
    }
  })
  for (const [index, each] of looked.entries()) {
    if (each.problem === undefined) results.push(each.result)
    else leftOut.push({ path: items[index]!.path, problem: each.problem })
  }
  return { read: results, leftOut }
}
