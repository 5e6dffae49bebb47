/**
 * docs/ADDING.md lists the places that test/slow/adding.test.ts tries, and the patches of that test still find their places:
 * whoever changes the text at such a place changes the patch along with it.
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { projectRoot } from '../helpers/paths.js'
import { replaced } from '../slow/adding/addition.js'
import { additions } from '../slow/adding/all.js'

const textOf = (path: string): string => readFileSync(join(projectRoot, path), 'utf8')

/** The rows of a section of the page: path, and who notices that it is missing. */
function rowsOf(heading: string): readonly (readonly [path: string, notice: string])[] {
  const sections = textOf('docs/ADDING.md').split(/^## /m)
  const section = sections.find((text) => text.startsWith(`${heading}\n`)) ?? ''
  return [...section.matchAll(/^\| \d+ +\| `([^`]+)`.*\| ([^|]+?) +\|$/gm)].map(([, path, notice]) => [
    path ?? '',
    notice ?? '',
  ])
}

t.test('the page lists the places that are tried, in their order', (t) => {
  for (const { heading, places } of additions) {
    const expected = places.map(({ path, notice }): readonly [string, string] => [path, notice])
    t.same(rowsOf(heading), expected, heading)
  }
  t.end()
})

t.test('every patch finds its place', (t) => {
  const texts = new Map<string, string>()
  for (const { path, change } of additions.flatMap(({ places }) => places)) {
    if (typeof change === 'string' || 'run' in change) continue
    t.doesNotThrow(() => texts.set(path, replaced(path, texts.get(path) ?? textOf(path), change)), path)
  }
  t.ok(texts.size > 0)
  t.end()
})
