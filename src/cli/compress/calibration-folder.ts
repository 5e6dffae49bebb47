/**
 * A folder of pictures to calibrate with.
 * Invariant: every picture was read once before the long work starts, so a broken one is named at once; the order is
 * that of the names, and the same index gives the same bytes each time.
 */

import { resolve } from 'node:path'
import { AgentError } from '../../base/errors.js'
import { readLetterboxed } from '../../camera/read-image.js'
import type { CalibrationImages } from '../../compress/ports.js'
import type { DatasetReading } from '../dataset/dataset.js'
import { openPictures } from '../dataset/open-dataset.js'

/** Fewer pictures than this give ranges by chance. */
const fewestImages = 8
/** Decoded pictures are kept up to this size: calibration reads each several times. */
const keptBytesMax = 320 * 2 ** 20

export interface CalibrationFolder extends CalibrationImages {
  readonly folder: string
}

/**
 * The pictures at `folder` (or of a data.yaml or a list file), at most `limit`, evenly chosen.
 * Throws `dataset.folder_unusable` where there are too few that can be read.
 */
export async function openCalibrationFolder(
  folder: string,
  limit: number,
  reading: DatasetReading,
): Promise<CalibrationFolder> {
  const { paths, leftOut } = await openPictures(folder, reading, limit)
  if (paths.length < fewestImages) {
    const [first] = leftOut
    const broken =
      first === undefined ? '' : `; ${leftOut.length} could not be read, the first: ${first.problem}`
    throw new AgentError(
      'dataset.folder_unusable',
      `cannot calibrate with ${resolve(folder)}: it has ${paths.length} readable pictures, expected at least ${fewestImages}${broken}`,
    )
  }
  return { folder, count: paths.length, read: reader(paths) }
}

function reader(paths: readonly string[]): CalibrationImages['read'] {
  const kept = new Map<number, { readonly size: string; readonly pixels: Uint8Array }>()
  let keptBytes = 0
  return async (index, { width, height }) => {
    const size = `${width}x${height}`
    const known = kept.get(index)
    if (known?.size === size) return known.pixels
    const { pixels } = await readLetterboxed(paths[index]!, { width, height })
    if (known === undefined && keptBytes + pixels.byteLength <= keptBytesMax) {
      kept.set(index, { size, pixels })
      keptBytes += pixels.byteLength
    }
    return pixels
  }
}
