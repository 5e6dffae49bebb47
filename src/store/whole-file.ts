/**
 * Small files read and replaced as a whole, through the FileSystem port.
 * Invariant: a reader sees the old bytes or the new bytes of a path, never a mixture, also after a power cut.
 */

import { createHash } from 'node:crypto'
import { basename, dirname, join } from 'node:path'
import type { Sha256 } from '../base/sha256.js'
import { writeErrorFrom } from '../base/atomic-file.js'
import { systemCodeOf } from '../base/errors.js'
import type { FileSystem } from './fs.js'

const PIECE_BYTES = 1 << 20

/** The name under which the next bytes of `path` are written before they take its name. */
function temporaryPathOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.tmp`)
}

/** Whether a name in a folder is a replacement that was cut off. */
export function isTemporaryName(name: string): boolean {
  return name.startsWith('.') && name.endsWith('.tmp')
}

/**
 * Replaces `path` with `bytes`; its folder must exist. One writer a path at a time.
 * Throws `resource.disk_full` or `resource.file_unwritable`; the old bytes are untouched then.
 */
export async function replaceFile(files: FileSystem, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = temporaryPathOf(path)
  try {
    const file = await files.open(temporary, 'update')
    try {
      await file.truncate(0)
      await file.write(bytes, 0)
      await file.sync()
    } finally {
      await file.close()
    }
    await files.rename(temporary, path)
    await files.syncFolder(dirname(path))
  } catch (thrown) {
    throw writeErrorFrom(thrown, path)
  }
}

/** System errors of a file whose bytes are lost, however often it is read: a rotten sector, a folder in its place. */
const lostCodes: ReadonlySet<string> = new Set([
  'EIO',
  'EBADMSG',
  'EUCLEAN',
  'EISDIR',
  'ELOOP',
  'EACCES',
  'EPERM',
])

/** Whether reading a file failed for good, so that it counts as damaged; a lack of memory or descriptors passes. */
export function isLostFile(thrown: unknown): boolean {
  return lostCodes.has(systemCodeOf(thrown) ?? '')
}

/** All bytes of a file, or undefined when it is absent or its bytes are lost. Rejects with the system's error otherwise. */
export async function readIntactFile(files: FileSystem, path: string): Promise<Uint8Array | undefined> {
  try {
    return await readWholeFile(files, path)
  } catch (thrown) {
    if (isLostFile(thrown)) return undefined
    throw thrown
  }
}

/** All bytes of a file, or undefined when it is absent. Rejects with the system's error otherwise. */
export async function readWholeFile(files: FileSystem, path: string): Promise<Uint8Array | undefined> {
  try {
    const file = await files.open(path, 'read')
    try {
      const bytes = new Uint8Array(await file.sizeBytes())
      return bytes.subarray(0, await file.read(bytes, 0))
    } finally {
      await file.close()
    }
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT') return undefined
    throw thrown
  }
}

/** Digest of a file, read in pieces of 1 MiB; undefined when it is absent. */
export async function digestOfFile(files: FileSystem, path: string): Promise<Sha256 | undefined> {
  const sizeBytes = await files.sizeOf(path)
  if (sizeBytes === undefined) return undefined
  const file = await files.open(path, 'read')
  try {
    const hash = createHash('sha256')
    const piece = new Uint8Array(Math.max(1, Math.min(PIECE_BYTES, sizeBytes)))
    for (let position = 0; ; position += piece.byteLength) {
      const count = await file.read(piece, position)
      hash.update(piece.subarray(0, count))
      if (count < piece.byteLength) return hash.digest('hex')
    }
  } finally {
    await file.close()
  }
}
