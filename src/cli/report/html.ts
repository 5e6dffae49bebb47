/** Tables for HTML. Invariant: cells are HTML already: who makes them escapes what comes from outside. */

/** A table; cells are HTML, numbers stand right. */
export function htmlTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  textColumns = 1,
): string {
  const cell = (tag: string, value: string, index: number): string =>
    `<${tag}${index < textColumns ? '' : ' class="number"'}>${value}</${tag}>`
  const row = (tag: string, cells: readonly string[]): string =>
    `<tr>${cells.map((value, index) => cell(tag, value, index)).join('')}</tr>`
  return `<div class="wide"><table><thead>${row('th', head)}</thead><tbody>${rows.map((cells) => row('td', cells)).join('')}</tbody></table></div>`
}
