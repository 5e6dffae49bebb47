/**
 * How much the store may hold. Invariant: a download starts only when the whole of it fits, below the store's own
 * limit and with the reserve of the disk left free.
 */

import { AgentError } from '../base/errors.js'
import type { FileSystem } from './fs.js'
import type { StoreLayout } from './layout.js'

export interface DiskQuota {
  /** Upper bound of all blobs and partial downloads together. */
  readonly limitBytes: number
  /** Bytes that stay free on the disk for everybody else. */
  readonly reserveBytes: number
}

export interface DiskUse {
  readonly usedBytes: number
  readonly limitBytes: number
  /** Free on the disk, the reserve not subtracted. */
  readonly freeBytes: number
}

/** Bytes in blobs and partial downloads, beside the limit and what the disk has free. */
export async function measureDiskUse(
  files: FileSystem,
  layout: StoreLayout,
  quota: DiskQuota,
): Promise<DiskUse> {
  let usedBytes = 0
  for (const folder of [layout.blobsFolder, layout.partialFolder]) {
    for (const name of await files.list(folder)) usedBytes += (await files.sizeOf(`${folder}/${name}`)) ?? 0
  }
  return { usedBytes, limitBytes: quota.limitBytes, freeBytes: await files.freeBytes(layout.blobsFolder) }
}

function inMebibytes(sizeBytes: number): string {
  return `${(sizeBytes / 1048576).toFixed(1)} MiB`
}

/** Throws `resource.disk_full` unless `neededBytes` more fit. `what` completes "cannot store ...". */
export function requireSpace(use: DiskUse, quota: DiskQuota, neededBytes: number, what: string): void {
  const fitsDisk = use.freeBytes - quota.reserveBytes >= neededBytes
  const fitsLimit = use.limitBytes - use.usedBytes >= neededBytes
  if (fitsDisk && fitsLimit) return
  throw new AgentError(
    'resource.disk_full',
    `cannot store ${what}: ${inMebibytes(neededBytes)} needed, ${inMebibytes(use.freeBytes)} free on the disk ` +
      `(${inMebibytes(quota.reserveBytes)} of it kept free), ${inMebibytes(use.usedBytes)} of the store's ` +
      `limit of ${inMebibytes(use.limitBytes)} used`,
    { hint: fitsLimit ? 'Free space on the disk.' : 'Raise store.limit_bytes.' },
  )
}
