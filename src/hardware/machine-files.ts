/**
 * Small text files that tell about a machine, below a root that tests can replace.
 * Invariant: reading never fails and is bounded; what is absent or unreadable is undefined.
 */

import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** More than any file of /proc and /sys that is read here. */
const fileBytesMax = 1024 * 1024

export interface MachineFiles {
  /** The text of a file, NUL bytes and blanks trimmed; undefined when it cannot be read or is empty. */
  read(path: string): Promise<string | undefined>
  /** Names in a folder, sorted; empty when there is none. */
  list(path: string): Promise<readonly string[]>
  exists(path: string): Promise<boolean>
}

/** The files below `root`, `/` for the machine itself. */
export function machineFiles(root: string): MachineFiles {
  return {
    read: async (path) => {
      try {
        const handle = await open(join(root, path), 'r')
        try {
          // Files of /proc have no size: read until the end or the bound.
          const { bytesRead, buffer } = await handle.read(Buffer.alloc(fileBytesMax), 0, fileBytesMax, 0)
          const text = buffer.toString('utf8', 0, bytesRead).replaceAll('\0', '\n').trim()
          return text === '' ? undefined : text
        } finally {
          await handle.close()
        }
      } catch {
        // Absent on this kind of machine, or not for this user: both mean that it tells nothing.
        return undefined
      }
    },
    list: async (path) => {
      try {
        return (await readdir(join(root, path))).sort()
      } catch {
        // As above.
        return []
      }
    },
    exists: async (path) => {
      try {
        await stat(join(root, path))
        return true
      } catch {
        // As above.
        return false
      }
    },
  }
}
