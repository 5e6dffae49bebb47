/**
 * Removes what the loader never reads from a 64-bit little-endian ELF file: symbol tables and debug information.
 * No tool of the target's architecture is needed, because the file is only cut and its section table written anew.
 * Invariant: every byte that a program header names stays where it is; a file of another layout is returned unchanged.
 * Source of the layout: System V ABI, "Object Files", and elf(5).
 */

const sectionHeaderSize = 64
const programHeaderSize = 56
/** Section flag: occupies memory while the program runs. */
const flagAlloc = 2n
const typeNull = 0
const typeNobits = 8

interface Section {
  readonly name: string
  readonly type: number
  readonly isLoaded: boolean
  readonly link: number
  /** The 64 bytes of its header. */
  readonly header: Buffer
}

/** `file` without symbols and debug sections; the same bytes when it is no ELF file or holds nothing to remove. */
export function stripElf(file: Buffer): Buffer {
  if (!isElf64(file)) return file
  const sections = readSections(file)
  if (sections === undefined) return file
  const kept = sections.filter(({ isLoaded, type }) => isLoaded || type === typeNull)
  if (kept.length + 1 >= sections.length) return file
  const indexOf = new Map(kept.map((section, index) => [sections.indexOf(section), index]))
  // A loaded section refers to loaded ones alone (hash to symbols, symbols to strings), or its link cannot be kept.
  if (kept.some(({ link }) => link !== 0 && !indexOf.has(link))) return file
  return joined(file, kept, indexOf)
}

function isElf64(file: Buffer): boolean {
  return (
    file.length > sectionHeaderSize &&
    file.readUInt32BE(0) === 0x7f454c46 &&
    file[4] === 2 &&
    file[5] === 1 &&
    file.readUInt16LE(54) === programHeaderSize &&
    file.readUInt16LE(58) === sectionHeaderSize
  )
}

function readSections(file: Buffer): Section[] | undefined {
  const offset = Number(file.readBigUInt64LE(40))
  const count = file.readUInt16LE(60)
  if (count === 0 || offset + count * sectionHeaderSize > file.length) return undefined
  const headers = Array.from({ length: count }, (_, index) =>
    file.subarray(offset + index * sectionHeaderSize, offset + (index + 1) * sectionHeaderSize),
  )
  const names = headers[file.readUInt16LE(62)]
  if (names === undefined) return undefined
  const namesOffset = Number(names.readBigUInt64LE(24))
  return headers.map((header) => {
    const start = namesOffset + header.readUInt32LE(0)
    return {
      name: file.toString('latin1', start, file.indexOf(0, start)),
      type: header.readUInt32LE(4),
      isLoaded: (header.readBigUInt64LE(8) & flagAlloc) !== 0n,
      link: header.readUInt32LE(40),
      header,
    }
  })
}

/** The end of what is read when the program is loaded, in bytes from the start of the file. */
function loadedEnd(file: Buffer, kept: readonly Section[]): number {
  const programOffset = Number(file.readBigUInt64LE(32))
  const programCount = file.readUInt16LE(56)
  const ends = [programOffset + programCount * programHeaderSize]
  for (let index = 0; index < programCount; index++) {
    const at = programOffset + index * programHeaderSize
    ends.push(Number(file.readBigUInt64LE(at + 8)) + Number(file.readBigUInt64LE(at + 32)))
  }
  for (const { header, type } of kept) {
    if (type === typeNobits || type === typeNull) continue
    ends.push(Number(header.readBigUInt64LE(24)) + Number(header.readBigUInt64LE(32)))
  }
  return Math.max(...ends)
}

function joined(file: Buffer, kept: readonly Section[], indexOf: ReadonlyMap<number, number>): Buffer {
  const end = loadedEnd(file, kept)
  const nameTable = '.shstrtab'
  const names = Buffer.from([...kept.map(({ name }) => name), nameTable].map((name) => `${name}\0`).join(''))
  const tableOffset = Math.ceil((end + names.length) / 8) * 8
  const table = Buffer.alloc((kept.length + 1) * sectionHeaderSize)
  let nameOffset = 0
  kept.forEach(({ header, name, link }, index) => {
    const at = index * sectionHeaderSize
    header.copy(table, at)
    table.writeUInt32LE(nameOffset, at)
    table.writeUInt32LE(indexOf.get(link) ?? 0, at + 40)
    nameOffset += name.length + 1
  })
  writeNameTable(table.subarray(kept.length * sectionHeaderSize), nameOffset, end, names.length)
  const result = Buffer.concat([
    file.subarray(0, end),
    names,
    Buffer.alloc(tableOffset - end - names.length),
    table,
  ])
  result.writeBigUInt64LE(BigInt(tableOffset), 40)
  result.writeUInt16LE(kept.length + 1, 60)
  result.writeUInt16LE(kept.length, 62)
  return result
}

/** The header of the section that holds the names of the sections: type 3 (strings), aligned to one byte. */
function writeNameTable(header: Buffer, nameOffset: number, offset: number, size: number): void {
  header.writeUInt32LE(nameOffset, 0)
  header.writeUInt32LE(3, 4)
  header.writeBigUInt64LE(BigInt(offset), 24)
  header.writeBigUInt64LE(BigInt(size), 32)
  header.writeBigUInt64LE(1n, 48)
}
