/**
 * The files by which a kernel describes its machine, below a root that tests can replace.
 * Invariant: what is absent or unreadable is undefined or empty, never an error: no board has all of them.
 */

import { access, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Reads below one root. Paths are absolute, as on the machine itself. */
export interface MachineFiles {
  /** Whether this is the machine that the program runs on. */
  readonly isReal: boolean
  /** The text without trailing white space and NUL; undefined when absent or empty. */
  text(path: string): Promise<string | undefined>
  /** The number in the file; undefined when absent or none. */
  number(path: string): Promise<number | undefined>
  /** Names in a folder, sorted; empty when absent. */
  names(path: string): Promise<readonly string[]>
  exists(path: string): Promise<boolean>
}

export function machineFiles(root: string): MachineFiles {
  const at = (path: string): string => join(root, path)
  const text = (path: string): Promise<string | undefined> => readText(at(path))
  return {
    isReal: root === '/',
    text,
    number: async (path) => {
      const value = Number((await text(path)) ?? NaN)
      return Number.isFinite(value) ? value : undefined
    },
    names: async (path) => {
      try {
        return (await readdir(at(path))).sort()
      } catch {
        // Absent on this machine.
        return []
      }
    },
    exists: async (path) => {
      try {
        await access(at(path))
        return true
      } catch {
        // Absent on this machine.
        return false
      }
    },
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    const content = (await readFile(path, 'utf8')).replace(/[\s\0]+$/, '')
    return content === '' ? undefined : content
  } catch {
    // Absent, or not for this user.
    return undefined
  }
}
