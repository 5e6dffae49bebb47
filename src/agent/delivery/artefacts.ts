/**
 * Files of a bundle: chunks over MQTT into the store.
 * Invariant: a chunk that the store has is not asked for; a file counts as obtained after its digest was found right.
 */

import { AgentError } from '../../base/errors.js'
import type { Logger } from '../../base/logger.js'
import type { Config } from '../../config/config.js'
import type { Topics } from '../../protocol/topics.js'
import type { Store } from '../../store/store.js'
import { type ChunkSink, downloadBlob } from '../../transport/blob-download.js'
import type { MqttConnection } from '../../transport/mqtt-connection.js'
import type { ArtefactRequest, Artefacts } from '../../update/ports.js'

/** What downloads need. */
export interface ArtefactPorts {
  readonly connection: MqttConnection
  readonly topics: Topics
  readonly store: Store
  readonly delivery: Config['delivery']
  readonly logger: Logger
}

/** Artefacts as the update service needs them. */
export function artefactsOf(ports: ArtefactPorts): Artefacts {
  const { store } = ports
  return {
    obtain: (request) => obtain(ports, request),
    verify: (sha256) => store.blobs.verify(sha256),
    prove: (sha256) => store.blobs.prove(sha256),
    collectGarbage: (alsoKeep) => store.collectGarbage(alsoKeep),
  }
}

async function obtain(ports: ArtefactPorts, request: ArtefactRequest): Promise<void> {
  const { blobs } = ports.store
  const { artefact } = request
  for (let isLast = false; ; isLast = true) {
    if (!(await blobs.has(artefact.sha256)) && !(await blobs.has(artefact.blob.sha256)))
      await download(ports, request)
    request.onBytes(artefact.blob.sizeBytes)
    try {
      await blobs.unpack(artefact)
      return
    } catch (thrown) {
      // A packed file that lay here and had gone bad is gone: it is fetched once more.
      if (isLast || (await blobs.has(artefact.blob.sha256))) throw thrown
    }
  }
}

/** How often chunks that rotted between writing and checking are fetched anew before the disk is called bad. */
const damagesMax = 3

async function download(ports: ArtefactPorts, request: ArtefactRequest): Promise<void> {
  const { blob } = request.artefact
  const partial = await ports.store.blobs.openPartial(blob)
  try {
    for (let damages = 0; damages < damagesMax; damages++) {
      await fetchMissing(ports, request, partial)
      const result = await partial.finish()
      if (result.state === 'complete') return
      ports.logger.warn({ blob: blob.sha256, lost: result.lostChunks.length }, 'stored chunks have gone bad')
    }
  } finally {
    await partial.close()
  }
  throw new AgentError(
    'integrity.digest_mismatch',
    `cannot store blob ${blob.sha256}: chunks went bad on the disk ${damagesMax} times`,
  )
}

async function fetchMissing(ports: ArtefactPorts, request: ArtefactRequest, sink: ChunkSink): Promise<void> {
  const { connection, topics, delivery, logger } = ports
  const { blob } = request.artefact
  const figures = await downloadBlob(connection, topics, blob, sink, {
    windowChunks: delivery.windowChunks,
    chunkTimeoutMs: delivery.chunkTimeoutS * 1000,
    signal: request.signal,
    onProgress: (haveBytes) => {
      request.onBytes(haveBytes)
    },
    ...(delivery.rateLimitKbS > 0 && { bytesPerSecondMax: delivery.rateLimitKbS * 1000 }),
  })
  const { fetchedChunks: chunks, fetchedBytes: bytes, wrongChunks: wrong } = figures
  logger.info({ blob: blob.sha256, chunks, bytes, wrong }, 'chunks fetched')
}
