/**
 * The handful of file system operations that the store uses, as a port.
 * Invariant: nothing in this folder touches the disk but through a FileSystem, so that a test can lose or tear
 * what was not synced.
 */

import { constants } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { systemCodeOf } from '../base/errors.js'

/** An open file. The one who opened it closes it. */
export interface OpenFile {
  /** Fills `into` from `position` on; returns how many bytes there were, less than asked for only at the end. */
  read(into: Uint8Array, position: number): Promise<number>
  /** Writes all of `bytes` at `position`. Borrows `bytes` until the promise settles. */
  write(bytes: Uint8Array, position: number): Promise<void>
  /** Makes the file exactly `sizeBytes` long; new bytes read as zero. */
  truncate(sizeBytes: number): Promise<void>
  sizeBytes(): Promise<number>
  /** After this the bytes and the size survive a power cut. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** Operations reject with the system's own error (`ENOENT`, `ENOSPC`, ...). */
export interface FileSystem {
  /** `read`: must exist. `update`: for reading and writing, created when absent, not emptied. */
  open(path: string, mode: 'read' | 'update'): Promise<OpenFile>
  /** Gives the file another name; a file that had that name is gone in the same step. */
  rename(from: string, to: string): Promise<void>
  /** Removes a file, or a folder that lies in its place; no error when it is absent. */
  remove(path: string): Promise<void>
  /** Names in a folder in no order; none when the folder is absent. */
  list(folder: string): Promise<string[]>
  /** Makes a folder and its parents; no error when it exists. */
  makeFolder(folder: string): Promise<void>
  /** After this the names in `folder` (created, renamed, removed) survive a power cut. */
  syncFolder(folder: string): Promise<void>
  /** Size of a file, or undefined when it is absent. */
  sizeOf(path: string): Promise<number | undefined>
  /** A text that is another one after every write, made of the file's size and times; undefined when it is absent. */
  stampOf(path: string): Promise<string | undefined>
  /** Bytes that an ordinary user may still write where `folder` is. */
  freeBytes(folder: string): Promise<number>
}

/** The result of `operation`, or `absent` when a path does not exist. */
async function orWhenAbsent<T>(operation: Promise<T>, absent: T): Promise<T> {
  try {
    return await operation
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT') return absent
    throw thrown
  }
}

/** The file system of the machine. */
export const nodeFileSystem: FileSystem = {
  open: async (path, mode) => {
    const flags = mode === 'read' ? constants.O_RDONLY : constants.O_RDWR | constants.O_CREAT
    const handle = await open(path, flags, 0o640)
    return {
      read: async (into, position) => {
        let done = 0
        while (done < into.byteLength) {
          const { bytesRead } = await handle.read(into, done, into.byteLength - done, position + done)
          if (bytesRead === 0) break
          done += bytesRead
        }
        return done
      },
      write: async (bytes, position) => {
        let done = 0
        while (done < bytes.byteLength) {
          const { bytesWritten } = await handle.write(bytes, done, bytes.byteLength - done, position + done)
          done += bytesWritten
        }
      },
      truncate: (sizeBytes) => handle.truncate(sizeBytes),
      sizeBytes: async () => (await handle.stat()).size,
      sync: () => handle.sync(),
      close: () => handle.close(),
    }
  },
  rename,
  remove: (path) => rm(path, { force: true, recursive: true }),
  list: (folder) => orWhenAbsent(readdir(folder), []),
  makeFolder: async (folder) => {
    await mkdir(folder, { recursive: true })
  },
  syncFolder: async (folder) => {
    const handle = await open(folder, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  },
  sizeOf: async (path) => (await orWhenAbsent(stat(path), undefined))?.size,
  stampOf: async (path) => {
    const found = await orWhenAbsent(stat(path, { bigint: true }), undefined)
    return found === undefined ? undefined : [found.size, found.mtimeNs, found.ctimeNs, found.ino].join(' ')
  },
  freeBytes: async (folder) => {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  },
}
