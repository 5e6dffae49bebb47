/**
 * Files that are complete or absent, also after a power cut.
 * Invariant: a reader sees the old bytes or the new bytes of a path, never a mixture.
 */

import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { AgentError, messageOf, systemCodeOf } from './errors.js'

/** What a system says when a disk, a quota or a limit of a process is used up. */
const noSpaceCodes: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** The error for a write to `path` that failed with `thrown`. */
export function writeErrorFrom(thrown: unknown, path: string): AgentError {
  if (thrown instanceof AgentError) return thrown
  const isFull = noSpaceCodes.has(systemCodeOf(thrown) ?? '')
  const code = isFull ? 'resource.disk_full' : 'resource.file_unwritable'
  return new AgentError(code, `cannot write ${path}: ${messageOf(thrown)}`, { cause: thrown })
}

/** Makes what was renamed or created in `folder` survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Where the next version of `path` is written before it takes the name; starts with a dot, ends with `.tmp`. */
function temporaryPathOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}.tmp`)
}

/**
 * Replaces `path` with `bytes`: write beside it, fsync, rename, fsync the folder. Creates missing parent folders.
 * `mode` is that of the new file, less the umask; `owner` gets it before it takes its name. Throws `resource.disk_full` or `resource.file_unwritable`; the old file is untouched then.
 */
export async function writeFileAtomic(
  path: string,
  bytes: Uint8Array | string,
  options: { readonly mode?: number; readonly owner?: { readonly uid: number; readonly gid: number } } = {},
): Promise<void> {
  const temporary = temporaryPathOf(path)
  try {
    await mkdir(dirname(path), { recursive: true })
    const handle = await open(temporary, 'w', options.mode ?? 0o666)
    try {
      if (options.owner !== undefined) await handle.chown(options.owner.uid, options.owner.gid)
      await handle.writeFile(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (thrown) {
    await discard(temporary)
    throw writeErrorFrom(thrown, path)
  }
}

/**
 * Builds the folder `path` in one step: `fill` writes into a temporary folder beside it, which takes the name at the end.
 * The folder must not exist or be empty. When `fill` throws, nothing remains and the error goes on.
 */
export async function createFolderAtomic(
  path: string,
  fill: (folder: string) => Promise<void>,
): Promise<void> {
  const temporary = temporaryPathOf(path)
  try {
    await rm(temporary, { recursive: true, force: true })
    await mkdir(temporary, { recursive: true })
    await fill(temporary)
    await syncFolder(temporary)
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (thrown) {
    await discard(temporary)
    throw writeErrorFrom(thrown, path)
  }
}

/** Removes what a failed write left. A second failure says nothing new: the first one is what the caller hears of. */
async function discard(temporary: string): Promise<void> {
  await rm(temporary, { recursive: true, force: true }).catch(() => undefined)
}

/** Deletes what writes that were cut off left in `folder`. Returns how many were deleted. */
export async function removeLeftovers(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => [])
  const leftovers = names.filter((name) => name.startsWith('.') && name.endsWith('.tmp'))
  for (const name of leftovers) await rm(join(folder, name), { recursive: true, force: true })
  return leftovers.length
}
