/**
 * Text that came from elsewhere, made fit for a terminal, a log and a page.
 * Invariant: what leaves here moves no cursor, changes no color, turns no direction and begins no line of its own.
 */

/**
 * Control characters (C0, DEL, C1), format characters (bidirectional controls, zero-width ones, tags), line and
 * paragraph separators, and halves of surrogate pairs.
 */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/** Matches what is unprintable in a text of several lines: the same characters except the line feed. */
const unprintableInLines = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/** Each UTF-16 unit as JSON would write it: `\u001b`. */
function escapesOf(character: string): string {
  let escapes = ''
  for (let unit = 0; unit < character.length; unit++)
    escapes += `\\u${character.charCodeAt(unit).toString(16).padStart(4, '0')}`
  return escapes
}

/** `text` on one line, each unprintable character as a visible escape such as `\u001b`. */
export function printable(text: string): string {
  return text.replace(unprintable, escapesOf)
}

/** Does the same with a text of several lines, whose line feeds stay. JSON stays JSON of the same value. */
export function printableLines(text: string): string {
  return text.replace(unprintableInLines, escapesOf)
}

/** `value` as JSON has it, with every string in it, keys aside, made {@link printable}. */
export function printableValue(value: unknown): unknown {
  if (typeof value === 'string') return printable(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(printableValue)
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, printableValue(child)]))
}

const escapeInJson = /\\[bfnrtu]/

/** Whether the strings of a JSON text need no {@link printableValue}. */
export function isPrintableJson(text: string): boolean {
  return !escapeInJson.test(text) && text.search(unprintable) < 0
}
