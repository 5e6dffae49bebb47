/**
 * Patches that add one of each kind to a copy of the checkout, place by place, as docs/ADDING.md says.
 * Invariant: a change is made only where its text is found exactly once, so that a patch never lands beside its place.
 */

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Who notices that a place was left out; the last column of docs/ADDING.md in the same words. */
export type Notice = 'you begin here' | 'the compiler' | 'nobody' | `\`test/${string}.test.ts\``

/** One row of docs/ADDING.md. */
export interface Place {
  /** From the root of the checkout. */
  readonly path: string
  readonly notice: Notice
  /** The file in which the compiler notices it, where that is another. */
  readonly seenIn?: string
  /** The whole content of a new file, replacements in one that is there, or the program that writes it. */
  readonly change: string | readonly Replacement[] | Writing
}

/** Arguments of Node.js for a program of the compiled copy. */
export interface Writing {
  readonly run: readonly string[]
}

/** `find`, which stands in the file once, becomes `put`. */
export interface Replacement {
  readonly find: string
  readonly put: string
}

/** One section of docs/ADDING.md. */
export interface Addition {
  readonly heading: string
  readonly places: readonly Place[]
  /** Tests that hold afterwards, from the root of the checkout. */
  readonly tests: readonly string[]
}

/** Makes the change of `place` in the copy at `root`. Throws where a text is missing or not alone. */
export function apply(root: string, { path, change }: Place): void {
  const file = join(root, path)
  if (typeof change !== 'string' && 'run' in change) {
    execFileSync(process.execPath, change.run, { cwd: root })
    return
  }
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(
    file,
    typeof change === 'string' ? change : replaced(path, readFileSync(file, 'utf8'), change),
  )
}

/** `text`, the content of `path`, with `replacements` made. Throws where a text is missing or not alone. */
export function replaced(path: string, text: string, replacements: readonly Replacement[]): string {
  return replacements.reduce((before, { find, put }) => {
    const count = before.split(find).length - 1
    if (count !== 1) throw new Error(`${path} has ${JSON.stringify(find)} ${count} times, expected it once`)
    return before.replace(find, () => put)
  }, text)
}

/** A replacement that puts `text` behind `find`. */
export function behind(find: string, text: string): Replacement {
  return { find, put: `${find}${text}` }
}
