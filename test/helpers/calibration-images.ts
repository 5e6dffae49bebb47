/** Calibration pictures for tests and benchmarks, read from a folder. */

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { readLetterboxed } from '../../src/camera/read-image.js'
import type { CalibrationImages } from '../../src/compress/ports.js'

/** The first `limit` pictures of `folder`, in order of their names. */
export function imagesIn(
  folder: string,
  limit = Infinity,
): CalibrationImages & { readonly paths: readonly string[] } {
  const paths = readdirSync(folder)
    .sort()
    .slice(0, limit)
    .map((name) => join(folder, name))
  return {
    paths,
    count: paths.length,
    read: async (index, size) => (await readLetterboxed(paths[index]!, size)).pixels,
  }
}
