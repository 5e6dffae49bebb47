/**
 * A golden set from a data set: the pictures that go out with a model, for every device to try it on.
 * Invariant: pictures are taken as they are, evenly over the data set, so that the same command gives the same bytes.
 */

import { readFile } from 'node:fs/promises'
import { AgentError } from '../../base/errors.js'
import { encodeGolden, type GoldenObject } from '../../protocol/golden.js'
import type { Dataset } from '../dataset/dataset.js'

export interface GoldenFile {
  readonly bytes: Uint8Array
  readonly images: number
}

/** At most `picturesMax` pictures of the data set, in its order. Throws `dataset.folder_unusable`. */
export async function goldenFileFrom(dataset: Dataset, picturesMax: number): Promise<GoldenFile> {
  const count = Math.min(picturesMax, dataset.images.length)
  const chosen = Array.from(
    { length: count },
    (_, index) => dataset.images[Math.floor((index * dataset.images.length) / count)]!,
  )
  if (chosen.every(({ groundTruths }) => groundTruths.length === 0)) {
    throw new AgentError(
      'dataset.folder_unusable',
      `cannot make a golden set of ${dataset.name}: its ${count} pictures have no labelled object, expected at least one`,
    )
  }
  const pictures = await Promise.all(
    chosen.map(async ({ name, path: file, groundTruths }) => ({
      name,
      bytes: await readFile(file),
      objects: groundTruths.map(goldenObject),
    })),
  )
  // A part of a data set gives other figures than the whole: it has a name of its own.
  const whole = count === dataset.images.length
  const name = whole ? dataset.name : `${dataset.name} (${count} of ${dataset.images.length})`
  return { bytes: encodeGolden({ dataset: name, pictures }), images: count }
}

function goldenObject({ classIndex, x1, y1, x2, y2, area, crowd }: GoldenObject): GoldenObject {
  return { classIndex, x1, y1, x2, y2, area, crowd }
}
