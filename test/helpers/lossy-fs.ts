/**
 * A file system in memory that forgets at a power cut what was not synced, and can cut the power at any operation.
 * Model: bytes written and sizes set since a file's last sync are kept, lost or torn (at 512-byte sectors), each
 * write on its own; names changed since a folder's last sync are kept up to some point in their order, each folder
 * on its own; one rename within a folder is kept whole or not at all.
 */

import { basename, dirname, join } from 'node:path'
import type { Random } from '../../src/base/random.js'
import type { FileSystem, OpenFile } from '../../src/store/fs.js'

const SECTOR_BYTES = 512

/** What every operation rejects with once the power is off. */
export class PowerCut extends Error {}

function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}

type Change = { kind: 'write'; bytes: Uint8Array; position: number } | { kind: 'truncate'; sizeBytes: number }

function applyChange(content: Buffer, change: Change): Buffer {
  const sizeBytes =
    change.kind === 'truncate'
      ? change.sizeBytes
      : Math.max(content.length, change.position + change.bytes.length)
  const next = Buffer.alloc(sizeBytes)
  content.copy(next, 0, 0, Math.min(content.length, sizeBytes))
  if (change.kind === 'write') next.set(change.bytes, change.position)
  return next
}

let inodes = 0

class Inode {
  readonly number = inodes++
  changes = 0
  isUnreadable = false
  content: Buffer = Buffer.alloc(0)
  durable: Buffer = Buffer.alloc(0)
  pending: Change[] = []

  change(change: Change): void {
    this.changes++
    this.content = applyChange(this.content, change)
    this.pending.push(change)
  }

  sync(): void {
    this.durable = this.content
    this.pending = []
  }

  /** What is on the disk after a cut. */
  survive(random: Random): Buffer {
    let content = this.durable
    for (const change of this.pending) {
      const fate = random.integer(3)
      if (fate === 0) continue
      if (fate === 1 && change.kind === 'write') {
        for (let start = 0; start < change.bytes.length; start += SECTOR_BYTES) {
          if (random.integer(2) === 0) continue
          const bytes = change.bytes.subarray(start, start + SECTOR_BYTES)
          content = applyChange(content, { kind: 'write', bytes, position: change.position + start })
        }
      } else {
        content = applyChange(content, change)
      }
    }
    return content
  }
}

type NameChange = (names: Map<string, Inode>) => void

class Folder {
  names = new Map<string, Inode>()
  durable = new Map<string, Inode>()
  pending: NameChange[] = []

  change(change: NameChange): void {
    change(this.names)
    this.pending.push(change)
  }

  sync(): void {
    this.durable = new Map(this.names)
    this.pending = []
  }

  survive(random: Random): Map<string, Inode> {
    const names = new Map(this.durable)
    for (const change of this.pending.slice(0, random.integer(this.pending.length + 1))) change(names)
    return names
  }
}

export class LossyFileSystem implements FileSystem {
  freeSpaceBytes = Number.MAX_SAFE_INTEGER
  /** Operations that change something, so far. */
  operations = 0
  /** How many more changes succeed before the power goes off; undefined: it stays on. */
  cutAfter: number | undefined
  #isOff = false
  /** Whether the power is off. */
  get isOff(): boolean {
    return this.#isOff
  }

  readonly #folders = new Map<string, Folder>()

  /** The same disk after a power cut; everything that is not synced meets its fate. */
  afterPowerCut(random: Random): LossyFileSystem {
    const next = new LossyFileSystem()
    const survivors = new Map<Inode, Inode>()
    for (const [path, folder] of this.#folders) {
      const copy = new Folder()
      for (const [name, inode] of folder.survive(random)) {
        const survivor = survivors.get(inode) ?? new Inode()
        if (!survivors.has(inode)) {
          survivor.content = inode.survive(random)
          survivor.sync()
          survivors.set(inode, survivor)
        }
        copy.names.set(name, survivor)
      }
      copy.sync()
      next.#folders.set(path, copy)
    }
    return next
  }

  /** The same disk after the process was killed: nothing is lost. */
  afterKill(): LossyFileSystem {
    for (const folder of this.#folders.values()) {
      folder.sync()
      for (const inode of folder.names.values()) inode.sync()
    }
    return this.afterPowerCut({ next: () => 0, integer: () => 0, normal: () => 0 })
  }

  /** Overwrites bytes behind everybody's back, as a rotten sector does: no time of the file changes. */
  corrupt(path: string, change: (content: Buffer) => Buffer): void {
    const inode = this.#inode(path)
    inode.content = change(Buffer.from(inode.content))
    inode.sync()
  }

  /** Reading the file fails from here on, as it does where sectors are gone. */
  makeUnreadable(path: string): void {
    this.#inode(path).isUnreadable = true
  }

  /** Every file, in the order of their names. */
  paths(): readonly string[] {
    return [...this.#folders]
      .flatMap(([folder, { names }]) => [...names.keys()].map((name) => join(folder, name)))
      .sort()
  }

  async open(path: string, mode: 'read' | 'update'): Promise<OpenFile> {
    await this.#step(false)
    const folder = this.#folder(dirname(path))
    let inode = folder.names.get(basename(path))
    if (inode === undefined) {
      if (mode === 'read') throw systemError('ENOENT', path)
      await this.#step(true)
      const created = new Inode()
      inode = created
      folder.change((names) => names.set(basename(path), created))
    }
    return this.#openFile(inode)
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#step(true)
    const inode = this.#inode(from)
    const source = this.#folder(dirname(from))
    const target = this.#folder(dirname(to))
    if (source === target) {
      source.change((names) => {
        names.delete(basename(from))
        names.set(basename(to), inode)
      })
      return
    }
    target.change((names) => names.set(basename(to), inode))
    source.change((names) => names.delete(basename(from)))
  }

  async remove(path: string): Promise<void> {
    await this.#step(true)
    const folder = this.#folders.get(dirname(path))
    if (folder?.names.has(basename(path)) === true) folder.change((names) => names.delete(basename(path)))
  }

  async list(folder: string): Promise<string[]> {
    await this.#step(false)
    return [...(this.#folders.get(folder)?.names.keys() ?? [])]
  }

  async makeFolder(folder: string): Promise<void> {
    await this.#step(false)
    for (let path = folder; !this.#folders.has(path); path = dirname(path))
      this.#folders.set(path, new Folder())
  }

  async syncFolder(folder: string): Promise<void> {
    await this.#step(true)
    this.#folder(folder).sync()
  }

  async sizeOf(path: string): Promise<number | undefined> {
    await this.#step(false)
    return this.#folders.get(dirname(path))?.names.get(basename(path))?.content.length
  }

  async stampOf(path: string): Promise<string | undefined> {
    await this.#step(false)
    const inode = this.#folders.get(dirname(path))?.names.get(basename(path))
    return inode === undefined ? undefined : `${inode.content.length} ${inode.number} ${inode.changes}`
  }

  async freeBytes(): Promise<number> {
    await this.#step(false)
    return this.freeSpaceBytes
  }

  #openFile(inode: Inode): OpenFile {
    return {
      read: async (into, position) => {
        await this.#step(false)
        if (inode.isUnreadable) throw systemError('EIO', 'read')
        const bytes = inode.content.subarray(position, position + into.byteLength)
        into.set(bytes)
        return bytes.length
      },
      write: async (bytes, position) => {
        const wasOff = this.#isOff
        try {
          await this.#step(true)
        } catch (thrown) {
          // The power goes off in the middle of the write: it is pending, and may be torn.
          if (!wasOff) inode.change({ kind: 'write', bytes: Uint8Array.from(bytes), position })
          throw thrown
        }
        inode.change({ kind: 'write', bytes: Uint8Array.from(bytes), position })
      },
      truncate: async (sizeBytes) => {
        await this.#step(true)
        inode.change({ kind: 'truncate', sizeBytes })
      },
      sizeBytes: async () => {
        await this.#step(false)
        return inode.content.length
      },
      sync: async () => {
        await this.#step(true)
        inode.sync()
      },
      // Closing works without power: it leaves nothing on the disk.
      close: () => Promise.resolve(),
    }
  }

  #folder(path: string): Folder {
    const folder = this.#folders.get(path)
    if (folder === undefined) throw systemError('ENOENT', path)
    return folder
  }

  #inode(path: string): Inode {
    const inode = this.#folder(dirname(path)).names.get(basename(path))
    if (inode === undefined) throw systemError('ENOENT', path)
    return inode
  }

  /** Every operation takes a turn of the event loop, as real ones do; a change may be the one that the cut hits. */
  async #step(isChange: boolean): Promise<void> {
    await Promise.resolve()
    if (this.#isOff) throw new PowerCut('the power is off')
    if (!isChange) return
    this.operations++
    if (this.cutAfter === undefined || this.cutAfter-- > 0) return
    this.#isOff = true
    throw new PowerCut('the power went off')
  }
}
