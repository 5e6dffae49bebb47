/** Which files are pictures. Invariant: the order of a folder is that of its names, numbers by value: 2 before 10. */

import { readdir } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { AgentError, messageOf } from '../base/errors.js'

const imageExtensions: ReadonlySet<string> = new Set([
  '.jpg',
  '.jpeg',
  '.png',
  '.webp',
  '.gif',
  '.tif',
  '.tiff',
  '.avif',
])

/** Whether the name ends as a picture's does. */
export function isImagePath(path: string): boolean {
  return imageExtensions.has(extname(path).toLowerCase())
}

/** The pictures of a folder (not of the folders in it), in the order of their names. Throws `camera.source_invalid`. */
export async function listImages(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((thrown: unknown) => {
    throw new AgentError('camera.source_invalid', `cannot list the folder ${folder}: ${messageOf(thrown)}`)
  })
  const images = names.filter((name) => isImagePath(name) && !name.startsWith('.'))
  if (images.length === 0) {
    const expected = [...imageExtensions].join(' ')
    throw new AgentError(
      'camera.source_invalid',
      `the folder ${folder} has no pictures; expected files ending in ${expected}`,
    )
  }
  const byName = new Intl.Collator('en', { numeric: true })
  return images.sort(byName.compare).map((name) => join(folder, name))
}
