/**
 * Files of a zip archive, written to a folder one after the other.
 * Invariant: nothing is written outside the folder; a file of another length than the archive promises is an error; memory does
 * not grow with what is unpacked.
 * Source of the layout: APPNOTE.TXT, "ZIP File Format Specification", 4.3; archives of more than 4 GB are refused.
 */

import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, open, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createInflateRaw } from 'node:zlib'
import { AgentError } from './errors.js'

interface Entry {
  readonly name: string
  readonly method: number
  readonly packedBytes: number
  readonly bytes: number
  readonly headerOffset: number
}

const endSize = 22
const commentMax = 65_535
const entrySize = 46
const localSize = 30
const methods = { stored: 0, deflated: 8 } as const
const largest = 0xffffffff

/**
 * Unpacks the files of `archive` whose names `isWanted` takes into `folder`, and returns their names. Throws
 * `integrity.size_mismatch` for an archive that is no zip file, was cut off, or names a place outside.
 */
export async function unpackZip(
  archive: string,
  folder: string,
  isWanted: (name: string) => boolean,
): Promise<readonly string[]> {
  const handle = await open(archive, 'r')
  try {
    const entries = (await entriesOf(handle, archive)).filter(
      ({ name }) => !name.endsWith('/') && isWanted(name),
    )
    for (const entry of entries) await unpack(handle, archive, entry, join(folder, safeName(entry, archive)))
    return entries.map(({ name }) => name)
  } finally {
    await handle.close()
  }
}

function damaged(archive: string, problem: string): AgentError {
  return new AgentError('integrity.size_mismatch', `cannot unpack ${archive}: ${problem}`)
}

async function readAt(handle: FileHandle, offset: number, length: number, archive: string): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, offset)
  if (bytesRead < length) throw damaged(archive, 'it was cut off')
  return buffer
}

async function entriesOf(handle: FileHandle, archive: string): Promise<readonly Entry[]> {
  const { size } = await handle.stat()
  const length = Math.min(size, endSize + commentMax)
  const tail = await readAt(handle, size - length, length, archive)
  const end = tail.lastIndexOf(Buffer.from('PK\u0005\u0006'))
  if (end < 0 || end + endSize > tail.length) throw damaged(archive, 'it is no zip file, or was cut off')
  const count = tail.readUInt16LE(end + 10)
  const [bytes, start] = [tail.readUInt32LE(end + 12), tail.readUInt32LE(end + 16)]
  if (count === 0xffff || start === largest) throw damaged(archive, 'archives of more than 4 GB are not read')
  const directory = await readAt(handle, start, bytes, archive)
  const entries: Entry[] = []
  for (let at = 0; entries.length < count;) {
    if (at + entrySize > directory.length || directory.readUInt32LE(at) !== 0x02014b50)
      throw damaged(archive, 'its list of files is damaged')
    const nameLength = directory.readUInt16LE(at + 28)
    entries.push({
      name: directory.toString('utf8', at + entrySize, at + entrySize + nameLength),
      method: directory.readUInt16LE(at + 10),
      packedBytes: directory.readUInt32LE(at + 20),
      bytes: directory.readUInt32LE(at + 24),
      headerOffset: directory.readUInt32LE(at + 42),
    })
    at += entrySize + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32)
  }
  return entries
}

function safeName({ name }: Entry, archive: string): string {
  const parts = name.split('/')
  const isSafe =
    !name.includes('\\') && !name.includes('\0') && parts.every((part) => !['', '.', '..'].includes(part))
  if (!isSafe) throw damaged(archive, `it names a file ${JSON.stringify(name)}, which lies outside`)
  return name
}

async function unpack(handle: FileHandle, archive: string, entry: Entry, path: string): Promise<void> {
  const { headerOffset, method, packedBytes, bytes, name } = entry
  const header = await readAt(handle, headerOffset, localSize, archive)
  const start = headerOffset + localSize + header.readUInt16LE(26) + header.readUInt16LE(28)
  if (method !== methods.stored && method !== methods.deflated)
    throw damaged(archive, `${name} is packed by method ${method}, which is not known`)
  await mkdir(dirname(path), { recursive: true })
  const file = createWriteStream(path)
  if (packedBytes > 0) {
    const source = createReadStream(archive, { start, end: start + packedBytes - 1 })
    try {
      if (method === methods.stored) await pipeline(source, file)
      else await pipeline(source, createInflateRaw({ maxOutputLength: bytes + 1 }), file)
    } catch (thrown) {
      // Whether the archive or the disk is at fault, the system says.
      if (thrown instanceof Error && 'errno' in thrown && 'syscall' in thrown) throw thrown
      throw damaged(archive, `${name} is damaged`)
    }
  } else await new Promise((resolve) => file.end(resolve))
  if (file.bytesWritten !== bytes)
    throw damaged(archive, `${name} has ${file.bytesWritten} bytes, expected ${bytes}`)
}
