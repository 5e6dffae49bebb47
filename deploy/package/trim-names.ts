/**
 * Takes names of exported symbols out of a 64-bit little-endian ELF program that is bound to fixed addresses.
 * Names stand in one block of text, and behind it, in the same segment, tables that only the dynamic section leads to. The block
 * is written anew with the names that are still asked for, the tables move up to it, and the segment ends earlier.
 * Invariant: what the program asks of others keeps its name; a symbol without a name is found by nobody, and stays in its place
 * in the table of symbols, so that no index changes. A program whose segment goes on behind these tables stays as it is.
 * Source of the layouts: System V ABI, "Dynamic Linking", and elf(5).
 */

import { type ElfProgram, segmentTypes } from './cut-elf.js'

const tags = {
  needed: 1,
  pltRelocationBytes: 2,
  strings: 5,
  symbols: 6,
  relocations: 7,
  relocationBytes: 8,
  stringBytes: 10,
  pltRelocations: 23,
  versions: 0x6ffffff0,
  versionsNeeded: 0x6ffffffe,
} as const
/** Tags whose value is a place in the block of names. */
const namingTags: readonly number[] = [tags.needed, 14, 15, 29]
const entrySize = 16
const symbolSize = 24
const relocationSize = 24

/** The dynamic section: tag -> offset within the file of its value. Tags that stand several times are in `repeated`. */
interface Dynamic {
  readonly at: ReadonlyMap<number, number>
  readonly named: readonly number[]
}

/**
 * Changes the file of `program` in place and returns how many bytes its first loadable segment is shorter: names of exported
 * symbols stay where `isKept` says so. Returns 0, and changes nothing, for a program of another layout.
 */
export function trimNames(program: ElfProgram, isKept: (name: string) => boolean): number {
  const { file } = program
  const dynamic = dynamicOf(program)
  const value = (tag: number): number => Number(file.readBigUInt64LE(dynamic.at.get(tag)))
  const needed = Object.values(tags).filter((tag) => tag !== tags.needed)
  if (!needed.every((tag) => dynamic.at.has(tag))) return 0
  const place = (tag: number): number => program.offsetOf(value(tag))
  const strings = place(tags.strings)
  const oldEnd = strings + value(tags.stringBytes)
  const first = program.segments.find(({ type }) => type === segmentTypes.load)!
  const end = first.offset + first.fileSize
  const relocationEnds = [
    place(tags.relocations) + value(tags.relocationBytes),
    place(tags.pltRelocations) + value(tags.pltRelocationBytes),
  ]
  const behind = [tags.versions, tags.versionsNeeded, tags.relocations, tags.pltRelocations] as const
  const isKnown =
    behind.every((tag) => place(tag) >= oldEnd && place(tag) < end) &&
    place(tags.symbols) < strings &&
    Math.max(...relocationEnds) === end
  if (!isKnown) return 0

  const names = new NameBlock(file, strings)
  nameSymbols(program, names, {
    symbols: place(tags.symbols),
    end: strings,
    referred: symbolsOfRelocations(file, [
      [place(tags.relocations), value(tags.relocationBytes)],
      [place(tags.pltRelocations), value(tags.pltRelocationBytes)],
    ]),
    isKept,
  })
  nameVersions(file, place(tags.versionsNeeded), names)
  for (const at of dynamic.named)
    file.writeBigUInt64LE(BigInt(names.add(Number(file.readBigUInt64LE(at)))), at)
  const block = names.bytes()
  // Tables keep their alignment: they move by a multiple of 16.
  const shift = Math.floor((oldEnd - strings - block.length) / 16) * 16
  if (shift <= 0) return 0
  const moved = Buffer.from(file.subarray(oldEnd, end))
  file.fill(0, strings, end)
  block.copy(file, strings)
  moved.copy(file, oldEnd - shift)
  for (const tag of behind) {
    const at = dynamic.at.get(tag)!
    file.writeBigUInt64LE(BigInt(value(tag) - shift), at)
  }
  file.writeBigUInt64LE(BigInt(block.length), dynamic.at.get(tags.stringBytes))
  return shift
}

function dynamicOf(program: ElfProgram): Dynamic {
  const segment = program.segments.find(({ type }) => type === segmentTypes.dynamic)
  const at = new Map<number, number>()
  const named: number[] = []
  if (segment === undefined) return { at, named }
  for (let entry = segment.offset; entry < segment.offset + segment.fileSize; entry += entrySize) {
    const tag = Number(program.file.readBigUInt64LE(entry))
    if (tag === 0) break
    at.set(tag, entry + 8)
    if (namingTags.includes(tag)) named.push(entry + 8)
  }
  return { at, named }
}

/** A block of names under construction: each stands once, the first is empty. */
class NameBlock {
  readonly #file: Buffer
  readonly #start: number
  readonly #places = new Map<string, number>([['', 0]])
  #length = 1

  constructor(file: Buffer, start: number) {
    this.#file = file
    this.#start = start
  }

  /** The name at `offset` of the old block. */
  textAt(offset: number): string {
    const at = this.#start + offset
    return this.#file.toString('latin1', at, this.#file.indexOf(0, at))
  }

  /** Takes the name at `offset` of the old block over; returns its place in the new one. */
  add(offset: number): number {
    const text = this.textAt(offset)
    const known = this.#places.get(text)
    if (known !== undefined) return known
    const place = this.#length
    this.#places.set(text, place)
    this.#length += text.length + 1
    return place
  }

  bytes(): Buffer {
    return Buffer.from([...this.#places.keys()].map((text) => `${text}\0`).join(''), 'latin1')
  }
}

function nameSymbols(
  { file }: ElfProgram,
  names: NameBlock,
  table: {
    readonly symbols: number
    /** Where the table ends: the names stand right behind it. */
    readonly end: number
    readonly referred: ReadonlySet<number>
    readonly isKept: (name: string) => boolean
  },
): void {
  const { symbols, end, referred, isKept } = table
  for (let index = 1; symbols + (index + 1) * symbolSize <= end; index++) {
    const at = symbols + index * symbolSize
    const name = file.readUInt32LE(at)
    const isUndefined = file.readUInt16LE(at + 6) === 0
    const stays = isUndefined || referred.has(index) || isKept(names.textAt(name))
    file.writeUInt32LE(stays ? names.add(name) : 0, at)
  }
}

function symbolsOfRelocations(
  file: Buffer,
  tables: readonly (readonly [offset: number, bytes: number])[],
): ReadonlySet<number> {
  const found = new Set<number>()
  for (const [offset, bytes] of tables)
    for (let at = offset; at < offset + bytes; at += relocationSize) found.add(file.readUInt32LE(at + 12))
  return found
}

/** The versions that are asked of libraries: a list of libraries, each with a list of versions; links are relative. */
function nameVersions(file: Buffer, start: number, names: NameBlock): void {
  for (let library = start; ;) {
    const count = file.readUInt16LE(library + 2)
    file.writeUInt32LE(names.add(file.readUInt32LE(library + 4)), library + 4)
    let version = library + file.readUInt32LE(library + 8)
    for (let index = 0; index < count; index++) {
      file.writeUInt32LE(names.add(file.readUInt32LE(version + 8)), version + 8)
      version += file.readUInt32LE(version + 12)
    }
    const next = file.readUInt32LE(library + 12)
    if (next === 0) return
    library += next
  }
}
