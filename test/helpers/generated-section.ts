/** Parts of documents that a command writes. Invariant: what stands outside the marks stays as it is. */

/** `page` with `text` between `<!-- NAME -->` and `<!-- /NAME -->`. Throws where the marks are missing. */
export function replaceSection(page: string, name: string, text: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const [start, end] = [page.indexOf(open), page.indexOf(close)]
  if (start < 0 || end < start)
    throw new TypeError(`the page has no section ${name}: expected ${open} and ${close}`)
  return `${page.slice(0, start + open.length)}\n\n${text.trim()}\n\n${page.slice(end)}`
}
