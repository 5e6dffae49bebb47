/**
 * Deletes what no slot needs.
 * Invariant: a blob or manifest of active, previous, candidate or the state before a switch is never deleted, and
 * nothing is deleted while it is not certain which those are.
 */

import { isSha256, type Sha256 } from '../base/sha256.js'
import type { FileSystem } from './fs.js'
import type { StoreLayout } from './layout.js'
import type { ModelPointer, SlotStore } from './slots.js'
import { isTemporaryName } from './whole-file.js'

export interface CollectedGarbage {
  readonly blobs: number
  readonly partials: number
  readonly manifests: number
  readonly freedBytes: number
}

/** Blobs and manifests to keep beside those of the slots: what a deployment in progress needs. */
export interface AlsoKeep {
  readonly blobSha256s: readonly Sha256[]
  readonly manifestSha256s: readonly Sha256[]
}

interface Place {
  readonly files: FileSystem
  readonly layout: StoreLayout
}

function keptBySlots({ state }: SlotStore): ModelPointer[] {
  const { active, previous, candidate, beforeSwitch } = state
  return [active, previous, candidate, beforeSwitch?.active, beforeSwitch?.previous].filter(
    (pointer) => pointer !== undefined,
  )
}

/** Removes the files of `folder` whose digest in the name is not in `kept`. */
async function sweep(
  { files }: Place,
  folder: string,
  kept: ReadonlySet<string>,
): Promise<{ count: number; freedBytes: number }> {
  let count = 0
  let freedBytes = 0
  for (const name of await files.list(folder)) {
    const sha256 = name.split('.')[0]!
    if (isSha256(sha256) ? kept.has(sha256) : !isTemporaryName(name)) continue
    const path = `${folder}/${name}`
    freedBytes += (await files.sizeOf(path)) ?? 0
    await files.remove(path)
    if (!name.endsWith('.chunks')) count++
  }
  return { count, freedBytes }
}

/** Deletes everything that neither a slot nor `alsoKeep` needs. Not to be called while a download is open. */
export async function collectGarbage(
  place: Place,
  slots: SlotStore,
  alsoKeep: AlsoKeep,
): Promise<CollectedGarbage> {
  if (!slots.isCertain) return { blobs: 0, partials: 0, manifests: 0, freedBytes: 0 }
  const pointers = keptBySlots(slots)
  const keptBlobs = new Set([...alsoKeep.blobSha256s, ...pointers.flatMap((pointer) => pointer.blobSha256s)])
  const keptManifests = new Set([
    ...alsoKeep.manifestSha256s,
    ...pointers.map((pointer) => pointer.manifestSha256),
  ])
  const { layout } = place
  const blobs = await sweep(place, layout.blobsFolder, keptBlobs)
  const partials = await sweep(place, layout.partialFolder, keptBlobs)
  const chunkLists = await sweep(place, layout.chunksFolder, keptBlobs)
  const manifests = await sweep(place, layout.manifestsFolder, keptManifests)
  return {
    blobs: blobs.count,
    partials: partials.count,
    manifests: manifests.count,
    freedBytes: blobs.freedBytes + partials.freedBytes + chunkLists.freedBytes + manifests.freedBytes,
  }
}
