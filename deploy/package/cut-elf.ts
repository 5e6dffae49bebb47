/**
 * Takes ranges of bytes out of a 64-bit little-endian ELF program, so that they need neither disk nor memory.
 * Invariant: every address that a program header names and that lies in no range holds the same byte as before; an address
 * in a range is not mapped. The table of sections, which only tools read, goes.
 * Source of the layout: System V ABI, "Program Loading", and elf(5).
 */

import { AgentError } from '../../src/base/errors.js'

/** Addresses from `start` up to, and without, `end`. */
export interface AddressRange {
  readonly start: number
  readonly end: number
}

/** Loadable segments are cut at multiples of this: the largest page of the systems that packages are made for. */
const granule = 65_536
const fileHeaderSize = 64
const entrySize = 56
/** What a program header describes. */
export const segmentTypes = { load: 1, dynamic: 2, interpreter: 3, note: 4, table: 6 } as const

interface Segment {
  readonly type: number
  readonly flags: number
  readonly offset: number
  readonly address: number
  readonly fileSize: number
  readonly memorySize: number
  readonly align: number
}

/** An ELF program as its headers describe it. */
export class ElfProgram {
  readonly file: Buffer
  readonly segments: readonly Segment[]

  /** Throws `model.parse_failed` for anything but a 64-bit little-endian program. */
  constructor(file: Buffer) {
    if (file.length < fileHeaderSize || file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1)
      throw new AgentError('model.parse_failed', 'expected a 64-bit little-endian ELF program')
    this.file = file
    const at = Number(file.readBigUInt64LE(32))
    const count = file.readUInt16LE(56)
    this.segments = Array.from({ length: count }, (_, index) => readSegment(file, at + index * entrySize))
  }

  /** Where the byte at offset `offset` of the file lies in memory. */
  addressAt(offset: number): number {
    const found = this.segments.find(
      (one) => one.type === segmentTypes.load && offset >= one.offset && offset < one.offset + one.fileSize,
    )
    if (found === undefined)
      throw new AgentError('model.parse_failed', `no segment loads the byte at ${offset} of the program`)
    return offset - found.offset + found.address
  }

  /** The reverse: the offset within the file of what lies at `address`. */
  offsetOf(address: number): number {
    const found = this.segments.find(
      (one) =>
        one.type === segmentTypes.load && address >= one.address && address < one.address + one.fileSize,
    )
    if (found === undefined)
      throw new AgentError('model.parse_failed', `no segment of the program loads address ${address}`)
    return address - found.address + found.offset
  }
}

/**
 * `program` without the bytes at `ranges`, of which whole pages are taken, and without the last `unused` bytes of its first
 * loadable segment. Throws `model.parse_failed` where its headers have no room.
 */
export function cutElf(program: ElfProgram, ranges: readonly AddressRange[], unused = 0): Buffer {
  const { file, segments } = program
  const holes = ranges.map(wholePages).filter(({ start, end }) => end > start)
  const old = segments
    .filter(({ type }) => type === segmentTypes.load)
    .map((one, index) => (index === 0 ? shortened(one, unused) : one))
  const placed = place(old.flatMap((segment) => withoutHoles(segment, holes)))
  const last = placed.at(-1)!
  const result = Buffer.alloc(last.offset + last.fileSize)
  for (const segment of placed) {
    const from = segment.source
    file.copy(result, segment.offset, from, from + segment.fileSize)
  }
  writeTable(program, placed, result)
  // No table of sections.
  result.writeBigUInt64LE(0n, 40)
  result.fill(0, 58, fileHeaderSize)
  return result
}

function shortened(segment: Segment, bytes: number): Segment {
  return { ...segment, fileSize: segment.fileSize - bytes, memorySize: segment.memorySize - bytes }
}

type Placed = Segment & { readonly source: number }

function wholePages({ start, end }: AddressRange): AddressRange {
  return { start: Math.ceil(start / granule) * granule, end: Math.floor(end / granule) * granule }
}

/** The parts of a loadable segment that no hole covers; `source` is where their bytes stand now. */
function withoutHoles(segment: Segment, holes: readonly AddressRange[]): readonly Placed[] {
  let parts: Placed[] = [{ ...segment, source: segment.offset }]
  for (const { start, end } of holes) {
    parts = parts.flatMap((part) => {
      const stop = part.address + part.fileSize
      if (start <= part.address || end >= stop) return [part]
      const head = { ...part, fileSize: start - part.address, memorySize: start - part.address }
      const skipped = end - part.address
      const tail = {
        ...part,
        address: end,
        source: part.source + skipped,
        fileSize: part.fileSize - skipped,
        memorySize: part.memorySize - skipped,
      }
      return [head, tail]
    })
  }
  return parts
}

/** Gives every segment a place in the file: offset and address are equal modulo the alignment, as the loader asks. */
function place(parts: readonly Placed[]): readonly Placed[] {
  let end = 0
  return parts.map((part, index) => {
    const align = Math.min(part.align, granule)
    const offset = index === 0 ? part.offset : end + ((((part.address - end) % align) + align) % align)
    end = offset + part.fileSize
    return { ...part, offset, align }
  })
}

/**
 * Writes the program headers. The notes (who built it) go; the name of the interpreter moves behind the table, which may then
 * reach up to the first byte of something else.
 */
function writeTable({ file, segments }: ElfProgram, loads: readonly Placed[], result: Buffer): void {
  const moved = segments
    .filter(({ type }) => type !== segmentTypes.load && type !== segmentTypes.note)
    .map((one) => ({ ...one, offset: offsetOf(one, loads) }))
  const firstLoad = segments.findIndex(({ type }) => type === segmentTypes.load)
  const before = moved.filter((one) => segments.findIndex(({ type }) => type === one.type) < firstLoad)
  const table = [...before, ...loads, ...moved.filter((one) => !before.includes(one))]
  const start = Number(file.readBigUInt64LE(32))
  const end = start + table.length * entrySize
  const name = segments.find(({ type }) => type === segmentTypes.interpreter)
  const nameBytes =
    name === undefined
      ? Buffer.alloc(0)
      : Buffer.from(file.subarray(name.offset, name.offset + name.fileSize))
  const room = roomBehindTable(file, segments)
  if (end + nameBytes.length > room)
    throw new AgentError(
      'model.parse_failed',
      `the headers of the program have room up to ${room}, and ${table.length} segments need ${end + nameBytes.length}`,
    )
  result.fill(0, start, room)
  const base = loads[0]!.address - loads[0]!.offset
  table.forEach((segment, index) => {
    const entry =
      segment.type === segmentTypes.interpreter
        ? { ...segment, offset: end, address: base + end }
        : segment.type === segmentTypes.table
          ? { ...segment, fileSize: table.length * entrySize, memorySize: table.length * entrySize }
          : segment
    writeSegment(result, start + index * entrySize, entry)
  })
  nameBytes.copy(result, end)
  result.writeUInt16LE(table.length, 56)
}

/** Where the bytes of `segment` stand once the loadable segments are `loads`. */
function offsetOf(segment: Segment, loads: readonly Placed[]): number {
  if (segment.fileSize === 0 && segment.address === 0) return segment.offset
  const { address } = segment
  const holder = loads.find((one) => address >= one.address && address < one.address + one.memorySize)
  if (holder === undefined)
    throw new AgentError(
      'model.parse_failed',
      `the segment at address ${address} of the program lies in what is cut out`,
    )
  return address - holder.address + holder.offset
}

/** The first byte behind the table that is neither the name of the interpreter nor a note. */
function roomBehindTable(file: Buffer, segments: readonly Segment[]): number {
  const at = Number(file.readBigUInt64LE(40))
  const count = file.readUInt16LE(60)
  const free = segments.filter(({ type }) => type === segmentTypes.interpreter || type === segmentTypes.note)
  const used: number[] = []
  for (let index = 1; index < count; index++) {
    const offset = Number(file.readBigUInt64LE(at + index * fileHeaderSize + 24))
    const isFree = free.some((one) => offset >= one.offset && offset < one.offset + one.fileSize)
    if (offset > 0 && !isFree) used.push(offset)
  }
  return Math.min(...used, file.length)
}

function readSegment(file: Buffer, at: number): Segment {
  const long = (offset: number): number => Number(file.readBigUInt64LE(at + offset))
  return {
    type: file.readUInt32LE(at),
    flags: file.readUInt32LE(at + 4),
    offset: long(8),
    address: long(16),
    fileSize: long(32),
    memorySize: long(40),
    align: long(48),
  }
}

function writeSegment(file: Buffer, at: number, segment: Segment): void {
  file.writeUInt32LE(segment.type, at)
  file.writeUInt32LE(segment.flags, at + 4)
  const values = [segment.offset, segment.address, segment.address, segment.fileSize, segment.memorySize]
  ;[...values, segment.align].forEach((value, index) =>
    file.writeBigUInt64LE(BigInt(value), at + 8 + index * 8),
  )
}
