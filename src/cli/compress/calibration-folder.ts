/**
 * A folder of pictures to calibrate with.
 * Invariant: every picture was read once before the long work starts, so a broken one is named at once; the order is
 * that of the names, and the same index gives the same bytes each time.
 */

import { resolve } from 'node:path'
import { AgentError, isAgentError } from '../../base/errors.js'
import { listImages } from '../../camera/image-files.js'
import { readImageSize, readLetterboxed } from '../../camera/read-image.js'
import type { CalibrationImages } from '../../compress/ports.js'

/** Fewer pictures than this give ranges by chance. */
const fewestImages = 8
/** Decoded pictures are kept up to this size: calibration reads each several times. */
const keptBytesMax = 320 * 2 ** 20

export interface CalibrationFolder extends CalibrationImages {
  readonly folder: string
  /** Files that could not be read as pictures, with the reason. */
  readonly leftOut: readonly string[]
}

/**
 * The pictures of `folder`, at most `limit`, evenly chosen.
 * Throws `dataset.folder_unusable` where there are too few that can be read.
 */
export async function openCalibrationFolder(folder: string, limit: number): Promise<CalibrationFolder> {
  const listed = await listImages(folder).catch((thrown: unknown) => {
    if (!isAgentError(thrown, 'camera.source_invalid')) throw thrown
    throw new AgentError('dataset.folder_unusable', `cannot calibrate: ${thrown.message}`, { cause: thrown })
  })
  const count = Math.min(limit, listed.length)
  const chosen = Array.from(
    { length: count },
    (_, index) => listed[Math.floor((index * listed.length) / count)]!,
  )
  const leftOut: string[] = []
  const paths: string[] = []
  for (const path of chosen) {
    try {
      await readImageSize(path)
      paths.push(path)
    } catch (thrown) {
      if (!isAgentError(thrown, 'image.decode_failed')) throw thrown
      leftOut.push(thrown.message)
    }
  }
  if (paths.length < fewestImages) {
    const broken =
      leftOut.length === 0 ? '' : `; ${leftOut.length} could not be read, the first: ${leftOut[0]!}`
    throw new AgentError(
      'dataset.folder_unusable',
      `cannot calibrate with ${resolve(folder)}: it has ${paths.length} readable pictures, expected at least ${fewestImages}${broken}`,
    )
  }
  return { folder, leftOut, count: paths.length, read: reader(paths) }
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
