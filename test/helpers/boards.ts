/** File trees of boards, laid out on disk for a test. */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fixture } from './paths.js'

/** Names of the boards, sorted. */
export const boardNames = readdirSync(fixture('boards'))
  .filter((name) => name.endsWith('.json') && !name.endsWith('.profile.json'))
  .map((name) => name.replace('.json', ''))
  .sort()

/** Writes the tree of `board` below `folder`, which exists. */
export function layOutBoard(board: string, folder: string): string {
  const files = JSON.parse(readFileSync(fixture('boards', `${board}.json`), 'utf8')) as Record<string, string>
  for (const [path, text] of Object.entries(files)) {
    const file = join(folder, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
  return folder
}
