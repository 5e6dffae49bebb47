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
  /** Pictures of the same folder that are kept from calibration, to check its result with; none where there are few. */
  readonly heldOut: CalibrationImages
}

/** So many pictures are held out at the most, and at the most this part of the folder. */
const heldOutMost = 8
const heldOutPart = 8

/**
 * The pictures at `folder` (or of a data.yaml or a list file), at most `limit`, evenly chosen; one of eight, at most eight, is held
 * out from sixteen pictures on, which costs calibration nothing where there are more than `limit`.
 * Throws `dataset.folder_unusable` where there are too few that can be read.
 */
export async function openCalibrationFolder(
  folder: string,
  limit: number,
  reading: DatasetReading,
): Promise<CalibrationFolder> {
  const { paths, leftOut } = await openPictures(folder, reading, limit + heldOutCount(limit))
  if (paths.length < fewestImages) {
    const [first] = leftOut
    const broken =
      first === undefined ? '' : `; ${leftOut.length} could not be read, the first: ${first.problem}`
    throw new AgentError(
      'dataset.folder_unusable',
      `cannot calibrate with ${resolve(folder)}: it has ${paths.length} readable pictures, expected at least ${fewestImages}${broken}`,
    )
  }
  const heldOut = evenly(paths, Math.max(heldOutCount(Math.min(limit, paths.length)), paths.length - limit))
  const isHeldOut = new Set(heldOut)
  const kept = paths.filter((path) => !isHeldOut.has(path))
  return { folder, ...imagesAt(kept), heldOut: imagesAt(heldOut) }
}

function heldOutCount(pictures: number): number {
  return pictures < 2 * fewestImages ? 0 : Math.min(heldOutMost, Math.floor(pictures / heldOutPart))
}

function evenly<T>(all: readonly T[], count: number): readonly T[] {
  return Array.from({ length: count }, (_, index) => all[Math.floor(((index + 0.5) * all.length) / count)]!)
}

function imagesAt(paths: readonly string[]): CalibrationImages {
  return { count: paths.length, read: reader(paths) }
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
