/**
 * A folder for processes that write until they are ended.
 * Invariant: it is removed after every teardown that was asked for later; `t.testdir()` goes before all of them.
 */

import { mkdtempSync, rmSync, writeFileSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** A folder with `files` (name to content) and empty `folders`. Ask for it before starting what writes into it. */
export function temporaryFolder(
  t: Test,
  files: Readonly<Record<string, Uint8Array | string>> = {},
  folders: readonly string[] = [],
): string {
  const folder = mkdtempSync(join(tmpdir(), 'yolo-edge-test-'))
  t.teardown(() => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  })
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  for (const name of folders) mkdirSync(join(folder, name))
  return folder
}
