/** Which start of the machine this is. Invariant: the same text for every process until the kernel starts anew. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The kernel's boot identifier (random(4)); undefined where there is none. */
export async function readBootId(root = '/'): Promise<string | undefined> {
  try {
    const text = await readFile(join(root, 'proc', 'sys', 'kernel', 'random', 'boot_id'), 'utf8')
    return text.trim() === '' ? undefined : text.trim()
  } catch {
    // Not every system has one; then power cuts count like crashes.
    return undefined
  }
}
