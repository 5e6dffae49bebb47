/**
 * The store of a device: one folder that holds all that must survive a restart.
 * Invariant: opening it never fails for what a power cut or a rotten file left behind; what is lost is named in
 * `problems` and is fetched or measured again.
 */

import { type Clock, systemClock } from '../base/clock.js'
import type { AgentError } from '../base/errors.js'
import { writeErrorFrom } from '../base/atomic-file.js'
import { BlobStore } from './blob-store.js'
import type { DiskQuota } from './disk-space.js'
import { DoubleRecord } from './double-record.js'
import { nodeFileSystem, type FileSystem } from './fs.js'
import { collectGarbage, type AlsoKeep, type CollectedGarbage } from './garbage.js'
import { storeLayout, type StoreLayout } from './layout.js'
import { ManifestStore } from './manifest-store.js'
import { MeasurementCache } from './measurement-cache.js'
import { OutboxStore } from './outbox-store.js'
import { SlotStore } from './slots.js'
import { isTemporaryName } from './whole-file.js'

export interface StoreOptions {
  /** Absolute path of the store's folder; made when absent. */
  readonly root: string
  readonly quota: DiskQuota
  /** Upper bound of the messages that wait for the broker. */
  readonly outboxLimitBytes: number
  /** The file system; the machine's own unless given. */
  readonly files?: FileSystem
  /** Decides when a slow download is recorded; the machine's own unless given. */
  readonly clock?: Clock
}

export interface Store {
  readonly layout: StoreLayout
  readonly blobs: BlobStore
  readonly manifests: ManifestStore
  readonly slots: SlotStore
  /** The state of the deployment in progress; its content belongs to the update service. */
  readonly journal: DoubleRecord
  readonly measurements: MeasurementCache
  readonly outbox: OutboxStore
  /** What zones and lines have counted; its content belongs to the cameras. */
  readonly counts: DoubleRecord
  /** Which topics hold a message of this device that it may have to take back. */
  readonly retained: DoubleRecord
  /** What was found damaged while opening. */
  readonly problems: readonly AgentError[]
  /** Deletes what neither a slot nor `alsoKeep` needs. Not while a download is open. */
  readonly collectGarbage: (alsoKeep: AlsoKeep) => Promise<CollectedGarbage>
}

/** Opens the store of one process. Throws `resource.file_unwritable` when the folder cannot be made or read. */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { root, quota, outboxLimitBytes, files = nodeFileSystem, clock = systemClock } = options
  const layout = storeLayout(root)
  try {
    await prepareFolders(files, root, layout)
    const slots = new SlotStore(files, layout)
    const problem = await slots.load()
    const outbox = new OutboxStore(files, layout, outboxLimitBytes)
    await outbox.load()
    return {
      layout,
      blobs: new BlobStore(files, layout, quota, clock),
      manifests: new ManifestStore(files, layout),
      slots,
      journal: new DoubleRecord(files, layout.state('journal'), { kind: 'journal', format: 1 }),
      measurements: new MeasurementCache(files, layout),
      outbox,
      counts: new DoubleRecord(files, layout.state('counts'), { kind: 'counts', format: 1 }),
      retained: new DoubleRecord(files, layout.state('retained'), { kind: 'retained', format: 1 }),
      problems: problem === undefined ? [] : [problem],
      collectGarbage: (alsoKeep) => collectGarbage({ files, layout }, slots, alsoKeep),
    }
  } catch (thrown) {
    throw writeErrorFrom(thrown, root)
  }
}

async function prepareFolders(files: FileSystem, root: string, layout: StoreLayout): Promise<void> {
  const folders = [
    layout.blobsFolder,
    layout.partialFolder,
    layout.chunksFolder,
    layout.manifestsFolder,
    layout.outboxFolder,
    layout.stateFolder,
  ]
  for (const folder of folders) {
    await files.makeFolder(folder)
    for (const name of await files.list(folder)) {
      // What is left of a cut-off write is in nobody's way: that it cannot be removed stops nothing.
      if (isTemporaryName(name)) await files.remove(`${folder}/${name}`).catch(() => undefined)
    }
  }
  await files.syncFolder(root)
}
