/**
 * Documents, or parts of them, that a command writes.
 * Invariants: what stands outside a section's marks stays as it is; what is written passes the format check.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { format, resolveConfig } from 'prettier'

/** Writes `text` (Markdown) to `path`, formatted as the project's own documents are. */
export async function writePage(path: string, text: string): Promise<void> {
  writeFileSync(path, await format(text, { ...(await resolveConfig(path)), parser: 'markdown' }))
}

/** Writes `text` between `<!-- NAME -->` and `<!-- /NAME -->` of the page at `path`. Throws where the marks are missing. */
export async function writeSection(path: string, name: string, text: string): Promise<void> {
  await writePage(path, replaceSection(readFileSync(path, 'utf8'), name, text))
}

/** As `writeSection`; a section that is missing is added at the end of the page under the heading `title`. */
export async function writeOrAddSection(
  path: string,
  { name, title }: { readonly name: string; readonly title: string },
  text: string,
): Promise<void> {
  const page = readFileSync(path, 'utf8')
  const [open, close] = marksOf(name)
  const whole = page.includes(open) ? page : `${page}\n## ${title}\n\n${open}\n\n${close}\n`
  await writePage(path, replaceSection(whole, name, text))
}

function marksOf(name: string): readonly [open: string, close: string] {
  return [`<!-- ${name} -->`, `<!-- /${name} -->`]
}

/** `page` with `text` between the marks of section `name`. */
function replaceSection(page: string, name: string, text: string): string {
  const [open, close] = marksOf(name)
  const [start, end] = [page.indexOf(open), page.indexOf(close)]
  if (start < 0 || end < start)
    throw new TypeError(`the page has no section ${name}: expected ${open} and ${close}`)
  return `${page.slice(0, start + open.length)}\n\n${text.trim()}\n\n${page.slice(end)}`
}
