/** downloading: every file of the shortlist into the store. What is there already is not fetched again. */

import { acceptedManifest, neededArtefacts, type WorkFunction } from './work.js'

export const download: WorkFunction = async (context) => {
  const { ports, deployment, signal } = context
  const manifest = await acceptedManifest(context)
  const artefacts = neededArtefacts(manifest, deployment)
  await ports.artefacts.collectGarbage({
    blobSha256s: artefacts.flatMap(({ sha256, blob }) => [sha256, blob.sha256]),
    manifestSha256s: [deployment.manifestSha256!],
  })
  const bytesTotal = artefacts.reduce((sum, { blob }) => sum + blob.sizeBytes, 0)
  const startMs = ports.clock.monotonicMs()
  let doneBytes = 0
  let startBytes: number | undefined
  for (const artefact of artefacts) {
    const onBytes = (haveBytes: number): void => {
      const bytesHave = doneBytes + Math.min(haveBytes, artefact.blob.sizeBytes)
      startBytes ??= bytesHave
      const elapsedMs = ports.clock.monotonicMs() - startMs
      const fetchedBytes = bytesHave - startBytes
      const etaMs = fetchedBytes > 0 ? ((bytesTotal - bytesHave) / fetchedBytes) * elapsedMs : undefined
      context.onProgress({
        progress: bytesHave / bytesTotal,
        bytesHave,
        bytesTotal,
        ...(etaMs !== undefined && { etaMs }),
      })
    }
    await ports.artefacts.obtain({ artefact, signal, onBytes })
    doneBytes += artefact.blob.sizeBytes
  }
  return { kind: 'downloaded' }
}
