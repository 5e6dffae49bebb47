/**
 * How large a message of each topic may be.
 * Invariant: every kind of topic has its bound, and it is the bound that the reader of its payload applies: a message over it
 * need not be taken into memory to be refused.
 */

import { chunkBytesMax } from './blob.js'
import { limits } from './limits.js'
import { parseTopic, type Topic } from './topics.js'

const bytesMaxOf: Readonly<Record<Topic['kind'], number>> = {
  manifest: limits.envelopeBytes,
  retired: limits.envelopeBytes,
  index: limits.indexBytes,
  chunk: chunkBytesMax,
  'channel-desired': limits.desiredEnvelopeBytes,
  'device-desired': limits.desiredEnvelopeBytes,
  availability: limits.availabilityBytes,
  info: limits.infoBytes,
  reported: limits.reportedBytes,
  deployment: limits.deploymentBytes,
  report: limits.reportBytes,
  metrics: limits.metricsBytes,
  detections: limits.detectionsBytes,
  preview: limits.previewBytes,
  counts: limits.countsBytes,
  events: limits.eventBytes,
  command: limits.commandBytes,
  response: limits.responseBytes,
}

/** Payload bytes of the largest message of a kind of topic. */
export function payloadBytesMaxOf(kind: Topic['kind']): number {
  return bytesMaxOf[kind]
}

/** Payload bytes of the largest message that is read from `topic`; of one that is not below `root`, those of a command. */
export function payloadBytesMax(root: string, topic: string): number {
  const kind = parseTopic(root, topic)?.kind
  return kind === undefined ? limits.commandBytes : bytesMaxOf[kind]
}

/** Payload bytes of the largest message of all. */
export const largestPayloadBytes = Math.max(...Object.values(bytesMaxOf))
