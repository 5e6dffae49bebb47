/** Zip archives for tests, written plainly after APPNOTE.TXT. Invariant: what is asked for is written, also what no tool would write. */

import { crc32Of } from './crc32.js'
import { deflateRawSync } from 'node:zlib'

export interface ZipFile {
  readonly name: string
  readonly bytes: Uint8Array
  /** As it is instead of deflated. */
  readonly isStored?: boolean
  /** What the archive says of its length; the truth unless given. */
  readonly said?: number
}

/** An archive of `files`, in this order. */
export function zipOf(files: readonly ZipFile[]): Buffer {
  const locals: Buffer[] = []
  const entries: Buffer[] = []
  let offset = 0
  for (const { name, bytes, isStored = false, said = bytes.length } of files) {
    const packed = isStored ? Buffer.from(bytes) : deflateRawSync(bytes)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(isStored ? 0 : 8, 4)
    common.writeUInt16LE(0x5821, 8)
    common.writeUInt32LE(crc32Of(bytes), 10)
    common.writeUInt32LE(packed.length, 14)
    common.writeUInt32LE(said, 18)
    common.writeUInt16LE(Buffer.byteLength(name), 22)
    const local = Buffer.concat([Buffer.from('PK\u0003\u0004'), common, Buffer.from(name), packed])
    const place = Buffer.alloc(14)
    place.writeUInt32LE(offset, 10)
    entries.push(Buffer.concat([Buffer.from('PK\u0001\u0002\u0014\u0000'), common, place, Buffer.from(name)]))
    locals.push(local)
    offset += local.length
  }
  const directory = Buffer.concat(entries)
  const end = Buffer.alloc(18)
  end.writeUInt16LE(files.length, 4)
  end.writeUInt16LE(files.length, 6)
  end.writeUInt32LE(directory.length, 8)
  end.writeUInt32LE(offset, 12)
  return Buffer.concat([...locals, directory, Buffer.from('PK\u0005\u0006'), end])
}
