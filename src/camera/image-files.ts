/** Which files are pictures. Invariant: the order of a folder is that of its names, numbers by value: 2 before 10. */

import { readdir, realpath, stat } from 'node:fs/promises'
import { extname, join, relative } from 'node:path'
import { AgentError, messageOf } from '../base/errors.js'

/** Endings of pictures that are read. */
const readableExtensions = [
  '.jpg',
  '.jpeg',
  '.jpe',
  '.jfif',
  '.mpo',
  '.png',
  '.webp',
  '.gif',
  '.bmp',
  '.tif',
  '.tiff',
] as const

/** Endings of pictures that are not read: each is listed, so that it is refused by name and not overlooked. */
const otherExtensions = ['.avif', '.heic', '.heif', '.jp2', '.dng', '.pgm', '.ppm', '.pbm', '.pnm'] as const

const imageExtensions: ReadonlySet<string> = new Set([...readableExtensions, ...otherExtensions])
const refusedExtensions: ReadonlySet<string> = new Set(otherExtensions)

/** Whether the name ends as a picture's does, of a kind that is read or not. */
export function isImagePath(path: string): boolean {
  return imageExtensions.has(extname(path).toLowerCase())
}

/** Whether the name ends as that of a picture of a kind that is not read. */
export function isRefusedKind(path: string): boolean {
  return refusedExtensions.has(extname(path).toLowerCase())
}

const byName = new Intl.Collator('en', { numeric: true })

function withoutPictures(folder: string): AgentError {
  const expected = readableExtensions.join(' ')
  return new AgentError(
    'camera.source_invalid',
    `the folder ${folder} has no pictures; expected files ending in ${expected}`,
  )
}

/**
 * The pictures of a folder and of all folders below it, in the order of their paths. Symbolic links are followed, hidden
 * files and folders are not looked at. Throws `camera.source_invalid`.
 */
export async function listImages(folder: string): Promise<string[]> {
  const found: string[] = []
  await collect(folder, [], found).catch((thrown: unknown) => {
    throw new AgentError('camera.source_invalid', `cannot list the folder ${folder}: ${messageOf(thrown)}`)
  })
  if (found.length === 0) throw withoutPictures(folder)
  return found.sort((a, b) => byName.compare(relative(folder, a), relative(folder, b)))
}

/** `above`: the real paths of the folders on the way here, so that a link to one of them is not followed in a circle. */
async function collect(folder: string, above: readonly string[], found: string[]): Promise<void> {
  const real = await realpath(folder)
  if (above.includes(real)) return
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue
    const path = join(folder, entry.name)
    const isFolder = entry.isSymbolicLink()
      ? (await stat(path).catch(() => undefined))?.isDirectory() === true
      : entry.isDirectory()
    if (isFolder) await collect(path, [...above, real], found)
    else if (isImagePath(entry.name)) found.push(path)
  }
}
