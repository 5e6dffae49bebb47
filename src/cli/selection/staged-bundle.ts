/**
 * A bundle laid out for measuring, in a store like a device's, below a temporary folder.
 * Invariant: every file is unpacked and checked by the code that a device uses; the folder is gone after `remove`.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AgentError } from '../../base/errors.js'
import { type Artefact, chunkRange } from '../../protocol/blob.js'
import { artefactsOf } from '../../protocol/manifest.js'
import { openStore, type Store } from '../../store/store.js'
import type { PublishedBundle } from '../../transport/publish-bundle.js'

export interface StagedBundle {
  readonly store: Store
  remove(): Promise<void>
}

/** Lays out every file of `bundle`. Throws `integrity.*`, `resource.*`. */
export async function stageBundle(bundle: PublishedBundle): Promise<StagedBundle> {
  const root = await mkdtemp(join(tmpdir(), 'yolo-edge-bundle-'))
  const remove = (): Promise<void> => rm(root, { recursive: true, force: true })
  try {
    const quota = { limitBytes: Number.MAX_SAFE_INTEGER, reserveBytes: 0 }
    const store = await openStore({ root, quota, outboxLimitBytes: 0 })
    for (const artefact of artefactsOf(bundle.manifest)) await stage(bundle, artefact, store)
    return { store, remove }
  } catch (thrown) {
    await remove()
    throw thrown
  }
}

async function stage(bundle: PublishedBundle, artefact: Artefact, { blobs }: Store): Promise<void> {
  const { blob } = artefact
  if (!(await blobs.has(artefact.sha256)) && !(await blobs.has(blob.sha256))) {
    const partial = await blobs.openPartial(blob)
    try {
      for (const index of partial.missingChunks()) {
        const { start, end } = chunkRange(blob, index)
        await partial.writeChunk(index, await bundle.readChunk(blob, start, end - start))
      }
      if ((await partial.finish()).state !== 'complete') {
        throw new AgentError('integrity.digest_mismatch', `blob ${blob.sha256} is not what its name says`)
      }
    } finally {
      await partial.close()
    }
  }
  await blobs.unpack(artefact)
}
