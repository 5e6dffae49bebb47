/**
 * The class names that an export carries in its metadata under `names`.
 * Invariant: the result has one name for each class index 0..n-1, in order.
 */

import { AgentError } from '../base/errors.js'

/** More classes than any published detector has; a larger count means that the text is something else. */
const classLimit = 10_000

const escapes: Readonly<Record<string, string>> = {
  '\\': '\\',
  "'": "'",
  '"': '"',
  '/': '/',
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '0': '\0',
}

/** Number of hexadecimal digits after \x, \u and \U. */
const codePointDigits: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 }

/**
 * Reads a Python dict literal (`{0: 'person', 1: "it's"}`), a list literal, or the same as JSON. An empty name becomes `class_N`.
 * Throws `model.labels_invalid` with the place of the first thing that does not fit.
 */
export function parseClassNames(text: string): string[] {
  const reader = new LiteralReader(text)
  const names = reader.peek() === '[' ? readList(reader) : readDict(reader)
  reader.expectEnd()
  return names.map((name, index) => (name.trim() === '' ? numberedName(index) : name))
}

/** Names for a model that carries none: `class_0`, `class_1`, ... */
export function numberedClassNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => numberedName(index))
}

/** Whether two models mean the same by every class index. */
export function haveSameClasses(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name, index) => name === other[index])
}

/** `names` for people: one that several classes have gets the index of its class behind it, `person (3)`. */
export function distinctNames(names: readonly string[]): string[] {
  const known = new Map<string, number>()
  for (const name of names) known.set(name, (known.get(name) ?? 0) + 1)
  return names.map((name, index) => (known.get(name)! > 1 ? `${name} (${index})` : name))
}

function numberedName(index: number): string {
  return `class_${index}`
}

function readList(reader: LiteralReader): string[] {
  const names: string[] = []
  reader.expect('[')
  while (!reader.accept(']')) {
    names.push(reader.readString())
    checkCount(names.length)
    if (!reader.accept(',')) {
      reader.expect(']')
      break
    }
  }
  if (names.length === 0) throw invalid('the list of class names is empty')
  return names
}

function readDict(reader: LiteralReader): string[] {
  const byIndex = new Map<number, string>()
  reader.expect('{')
  while (!reader.accept('}')) {
    const index = reader.readIndex()
    reader.expect(':')
    if (byIndex.has(index)) throw invalid(`class ${index} is named twice`)
    byIndex.set(index, reader.readString())
    checkCount(byIndex.size)
    if (!reader.accept(',')) {
      reader.expect('}')
      break
    }
  }
  if (byIndex.size === 0) throw invalid('the dict of class names is empty')
  return Array.from({ length: byIndex.size }, (_, index) => {
    const name = byIndex.get(index)
    if (name === undefined) throw invalid(`${byIndex.size} classes are named, but class ${index} is missing`)
    return name
  })
}

function checkCount(count: number): void {
  if (count > classLimit) throw invalid(`more than ${classLimit} classes are named`)
}

function invalid(problem: string): AgentError {
  return new AgentError('model.labels_invalid', `reading the model's class names: ${problem}`, {
    hint: "export the model again, or correct `names` in its metadata, such as {0: 'person', 1: 'car'}",
  })
}

/** Reads the tokens of a literal from left to right; spaces between tokens are skipped. */
class LiteralReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** The next character that is no space; '' at the end. */
  peek(): string {
    while (/\s/.test(this.#text.charAt(this.#at))) this.#at++
    return this.#text.charAt(this.#at)
  }

  accept(character: string): boolean {
    if (this.peek() !== character) return false
    this.#at++
    return true
  }

  expect(character: string): void {
    if (!this.accept(character)) throw this.#unexpected(`"${character}"`)
  }

  expectEnd(): void {
    if (this.peek() !== '') throw this.#unexpected('the end')
  }

  /** A class index, bare or (as JSON writes keys) in quotes. */
  readIndex(): number {
    const first = this.peek()
    const digits = first === "'" || first === '"' ? this.readString() : this.#readDigits()
    if (!/^\d{1,7}$/.test(digits)) throw this.#unexpected('a class index')
    return Number(digits)
  }

  /** A string literal in single or double quotes. */
  readString(): string {
    const quote = this.peek()
    if (quote !== "'" && quote !== '"') throw this.#unexpected('a name in quotes')
    this.#at++
    let value = ''
    for (;;) {
      const character = this.#text.charAt(this.#at)
      if (character === '') throw this.#unexpected(`a closing ${quote}`)
      this.#at++
      if (character === quote) return value
      value += character === '\\' ? this.#readEscape() : character
    }
  }

  #readDigits(): string {
    const start = this.#at
    while (/\d/.test(this.#text.charAt(this.#at))) this.#at++
    return this.#text.slice(start, this.#at)
  }

  #readEscape(): string {
    const letter = this.#text.charAt(this.#at)
    const digits = codePointDigits[letter]
    if (digits === undefined) {
      const value = escapes[letter]
      if (value === undefined) throw this.#unexpected('a known escape after \\')
      this.#at++
      return value
    }
    const hex = this.#text.slice(this.#at + 1, this.#at + 1 + digits)
    const codePoint = Number.parseInt(hex, 16)
    if (hex.length !== digits || !/^[\da-f]+$/i.test(hex) || codePoint > 0x10ffff) {
      throw this.#unexpected(`${digits} hexadecimal digits after \\${letter}`)
    }
    this.#at += 1 + digits
    return letter === 'U' ? String.fromCodePoint(codePoint) : String.fromCharCode(codePoint)
  }

  #unexpected(expected: string): AgentError {
    const found = this.#text.slice(this.#at, this.#at + 12)
    const seen = found === '' ? 'the end' : JSON.stringify(found)
    return invalid(`expected ${expected} at character ${this.#at + 1}, found ${seen}`)
  }
}
