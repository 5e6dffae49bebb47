/**
 * A Node.js program without what this product never asks of it: languages other than English, the tool that strips types off
 * TypeScript, and the names by which add-ons in C++ of V8's own interface would find its functions. What is left is what
 * Node.js calls "small-icu", with every time zone.
 * Invariant: what Node.js reads lies where it lay; a program of another make is returned as it is.
 * Source of the layout of the data: ICU, "ICU Data", udata.h and ucmndata.h (a package "CmnD" is a header, a table of names and
 * places, and the items).
 */

import { type AddressRange, cutElf, ElfProgram } from './cut-elf.js'
import { trimNames } from './trim-names.js'

/** `file`, as its makers published it, without these parts. */
export function slimNode(file: Buffer): Buffer {
  const copy = Buffer.from(file)
  const program = new ElfProgram(copy)
  const ranges: AddressRange[] = []
  const add = (range: AddressRange | undefined): void => {
    if (range === undefined) return
    const start = program.addressAt(range.start)
    ranges.push({ start, end: start + range.end - range.start })
  }
  add(slimLanguages(copy))
  add(typeStripper(copy))
  const unused = trimNames(program, isAskedFor)
  return cutElf(program, ranges, unused)
}

/** Add-ons in C ask for functions by their plain names; those of C++ begin like this, and no add-on of this product uses them. */
function isAskedFor(name: string): boolean {
  return !name.startsWith('_Z')
}

/** Before the four letters of a package of ICU data: size of the header, two magic bytes, and what machine it is for. */
const letters = Buffer.from('CmnD')
const lettersOffset = 12

/**
 * Puts the items that stay at the front of the ICU data of `file` and returns the offsets of the rest; undefined where there is
 * no such data.
 */
export function slimLanguages(file: Buffer): AddressRange | undefined {
  const start = dataStart(file)
  if (start === undefined) return undefined
  const table = start + file.readUInt16LE(start)
  const items = itemsAt(file, table)
  const end = items.at(-1)!.end
  const kept = items.filter(({ name, start: from, end: to }) => isKept(name, to - from))
  const names = kept.map(({ fullName }) => Buffer.from(`${fullName}\0`))
  const namesAt = 4 + kept.length * 8
  let nameOffset = namesAt
  let dataOffset = aligned(namesAt + names.reduce((sum, { length }) => sum + length, 0))
  const parts = Buffer.alloc(end)
  parts.writeUInt32LE(kept.length, 0)
  kept.forEach((item, index) => {
    parts.writeUInt32LE(nameOffset, 4 + index * 8)
    parts.writeUInt32LE(dataOffset, 8 + index * 8)
    names[index]!.copy(parts, nameOffset)
    file.copy(parts, dataOffset, table + item.start, table + item.end)
    nameOffset += names[index]!.length
    dataOffset = aligned(dataOffset + item.end - item.start)
  })
  parts.copy(file, table)
  return { start: table + dataOffset, end: table + end }
}

interface Item {
  /** `icudt78l/coll/root.res`. */
  readonly fullName: string
  /** Without the name of the package: `coll/root.res`. */
  readonly name: string
  /** From the start of the table, bytes. The end of the last item is not told: its start is taken. */
  readonly start: number
  readonly end: number
}

function dataStart(file: Buffer): number | undefined {
  for (let at = file.indexOf(letters); at >= 0; at = file.indexOf(letters, at + 1)) {
    const start = at - lettersOffset
    if (file[start + 2] === 0xda && file[start + 3] === 0x27) return start
  }
  return undefined
}

function itemsAt(file: Buffer, table: number): readonly Item[] {
  const count = file.readUInt32LE(table)
  return Array.from({ length: count }, (_, index) => {
    const at = table + 4 + index * 8
    const nameAt = table + file.readUInt32LE(at)
    const fullName = file.toString('latin1', nameAt, file.indexOf(0, nameAt))
    const start = file.readUInt32LE(at + 4)
    const end = index + 1 < count ? file.readUInt32LE(at + 12) : start
    return { fullName, name: fullName.slice(fullName.indexOf('/') + 1), start, end }
  })
}

/** Items begin at multiples of 16. */
function aligned(offset: number): number {
  return Math.ceil(offset / 16) * 16
}

/** Tables of one byte a character are smaller than this; those of Asian encodings larger. */
const largestConverter = 4096
const languages = /^(?:root|pool|res_index|supplementalData|tzdbNames|ucadata|en(?:_001|_US|_US_POSIX)?)$/
const breaks = /^(?:root|en|res_index|char|word|sent|line|title)$/

/** Whether the item stays: what no language owns, and what belongs to English. */
function isKept(name: string, bytes: number): boolean {
  const [, folder, stem, kind] = /^(?:(\w+)\/)?(.+)\.(\w+)$/.exec(name) ?? []
  if (stem === undefined) return true
  if (folder === 'translit') return false
  if (folder === 'brkitr') return breaks.test(stem) && kind !== 'dict'
  if (folder !== undefined) return languages.test(stem)
  if (kind === 'cnv') return bytes <= largestConverter
  // Names of characters, which no function of JavaScript tells.
  if (stem === 'unames') return false
  return kind !== 'res' || languages.test(stem) || !/^[a-z]{2,3}(?:_|$)/.test(stem)
}

/** The WebAssembly of the tool that strips types, as base64 in the source that Node.js embeds: the first bytes of the format. */
const stripperStart = Buffer.from('Buffer2.from("AGFzbQEAAAA')
const stripperLeast = 1_000_000

/** Offsets of the text within `file`, or undefined. */
function typeStripper(file: Buffer): AddressRange | undefined {
  for (let at = file.indexOf(stripperStart); at >= 0; at = file.indexOf(stripperStart, at + 1)) {
    const start = at + stripperStart.length
    const end = file.indexOf('"', start)
    if (end - start >= stripperLeast) return { start, end }
  }
  return undefined
}
