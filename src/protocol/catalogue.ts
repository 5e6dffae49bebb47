/**
 * Every kind of message of the protocol in one table: who sends it, where, how, and in which form.
 * Invariant: each kind of topic has its row, with the address that `topics` builds; documents and tests are made from here.
 */

import { commandWire, responseWire } from './command.js'
import { deploymentHistorySchema, deploymentsCommandName } from './deployment-history.js'
import { deploymentWire } from './deployment.js'
import { desiredPayloadType, desiredWire } from './desired.js'
import { countsWire } from './counts.js'
import { compactDetectionsWire, detectionsWire } from './detections.js'
import { envelopeSchema } from './envelope-form.js'
import { deviceParts, indexPartWire } from './fleet-index.js'
import { infoWire } from './info.js'
import type { PayloadShape } from './json-payload.js'
import { type JsonSchema, jsonSchemaOf, wireSchemaOf } from './json-schema.js'
import { manifestPayloadType, manifestWire } from './manifest.js'
import { metricsWire } from './metrics.js'
import { payloadBytesMaxOf } from './payload-limits.js'
import { previewCommand, previewRequestSchema } from './preview.js'
import { releasePayloadType, releaseWire } from './release.js'
import { reportWire } from './report.js'
import { reportedWire } from './reported.js'
import { sceneEventWire } from './scene-event.js'
import { type Topic, topicsBelow } from './topics.js'

/** Who sends a kind of message. */
export type Sender = 'device' | 'publisher' | 'viewer'

/** One form of a payload, by a name that is unique in the catalogue. */
export interface PayloadForm {
  /** Lower-case words joined by hyphens; names the file of its schema. */
  readonly name: string
  readonly contentType: string
  /** Absent for a payload that is no JSON. */
  readonly schema?: JsonSchema
  /** What it is, where a schema does not say it. */
  readonly note?: string
}

/** One kind of message. */
export interface MessageKind {
  readonly kind: Topic['kind']
  /** Below the root, names in braces: `devices/{device}/metrics`. */
  readonly address: string
  readonly sender: Sender
  readonly qos: 0 | 1
  readonly isRetained: boolean
  /** When it is sent and what it says. */
  readonly purpose: string
  /** Bytes of the largest message that a reader takes. */
  readonly bytesMax: number
  readonly forms: readonly PayloadForm[]
  /** What the payload of a signed envelope holds. */
  readonly signed: readonly PayloadForm[]
}

/** A question that a device answers. */
export interface CommandKind {
  readonly name: string
  readonly purpose: string
  /** Of `args`; absent where there are none. */
  readonly args?: JsonSchema
  /** Of `data` in the answer. */
  readonly data?: JsonSchema
}

type Row = Omit<MessageKind, 'kind' | 'address' | 'bytesMax' | 'signed'> & {
  readonly address: string
  readonly signed?: readonly PayloadForm[]
}

const json = (name: string, shape: PayloadShape, contentType = 'application/json'): PayloadForm => ({
  name,
  contentType,
  schema: wireSchemaOf(shape),
})

/** Keys of an envelope are those of DSSE, which this protocol does not rename. */
const envelope: PayloadForm = {
  name: 'signed-envelope',
  contentType: 'application/json',
  schema: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'signed envelope (DSSE)',
    ...jsonSchemaOf(envelopeSchema, { keepsKeys: true }),
  },
}

const topics = topicsBelow('ROOT')
const digest = '0'.repeat(64)

const manifestForm = json('manifest', manifestWire, manifestPayloadType)
const wishForms = [
  json('desired', desiredWire, desiredPayloadType),
  json('release', releaseWire, releasePayloadType),
]
const availabilityForm: PayloadForm = {
  name: 'availability',
  contentType: 'text/plain',
  schema: { title: 'availability', type: 'string', enum: ['online', 'offline', 'stopped'] },
}

/** Addresses are written with capital words for names, which are legal names themselves. */
const rows: Readonly<Record<Topic['kind'], Row>> = {
  manifest: {
    address: topics.manifest('MODEL', '0.0.0'),
    ...{ sender: 'publisher', qos: 1, isRetained: true },
    purpose: 'All that a version of a model consists of: variants, chunks, golden set; signed.',
    forms: [envelope],
    signed: [manifestForm],
  },
  retired: {
    address: topics.retired('MODEL', '0.0.0'),
    ...{ sender: 'publisher', qos: 1, isRetained: true },
    purpose: 'The manifest of a version that nobody should fetch any more, until its chunks are gone.',
    forms: [envelope],
    signed: [manifestForm],
  },
  index: {
    address: topics.index('PART'),
    ...{ sender: 'publisher', qos: 1, isRetained: true },
    purpose: `A part of the list of what is on the broker: versions, wishes, ${deviceParts[0]} to ${deviceParts.at(-1)}.`,
    forms: [json('index', indexPartWire)],
  },
  chunk: {
    address: topics.chunk(digest, 0),
    ...{ sender: 'publisher', qos: 1, isRetained: true },
    purpose: 'A piece of a file, named by the digest of the whole; the last one may be short.',
    forms: [{ name: 'chunk', contentType: 'application/octet-stream', note: 'bytes as they are' }],
  },
  'channel-desired': {
    address: topics.channelDesired('CHANNEL'),
    ...{ sender: 'publisher', qos: 1, isRetained: true },
    purpose: 'What every device of a channel should run, or the end of such a wish; signed.',
    forms: [envelope],
    signed: wishForms,
  },
  'device-desired': {
    address: topics.deviceDesired('DEVICE'),
    ...{ sender: 'publisher', qos: 1, isRetained: true },
    purpose: 'What one device should run, whatever its channel says, or the end of such a wish; signed.',
    forms: [envelope],
    signed: wishForms,
  },
  availability: {
    address: topics.deviceState('DEVICE', 'availability'),
    ...{ sender: 'device', qos: 1, isRetained: true },
    purpose: 'Whether the device is connected. The broker says offline (last will), the device the others.',
    forms: [availabilityForm],
  },
  info: {
    address: topics.deviceState('DEVICE', 'info'),
    ...{ sender: 'device', qos: 1, isRetained: true },
    purpose: 'What the device is: hardware, software, cameras. After each start, and when it changes.',
    forms: [json('info', infoWire)],
  },
  reported: {
    address: topics.deviceState('DEVICE', 'reported'),
    ...{ sender: 'device', qos: 1, isRetained: true },
    purpose: 'What serves, what would serve after a rollback, and what was refused. When it changes.',
    forms: [json('reported', reportedWire)],
  },
  deployment: {
    address: topics.deviceState('DEVICE', 'deployment'),
    ...{ sender: 'device', qos: 1, isRetained: true },
    purpose: 'How the deployment under way goes on. One message a step.',
    forms: [json('deployment', deploymentWire)],
  },
  report: {
    address: topics.deviceState('DEVICE', 'report'),
    ...{ sender: 'device', qos: 1, isRetained: false },
    purpose:
      'What was measured: after a trial, after a soak, and every telemetry.report_period_s. Kept on disk while the broker is away; such a late one says historical.',
    forms: [json('report', reportWire)],
  },
  metrics: {
    address: topics.deviceState('DEVICE', 'metrics'),
    ...{ sender: 'device', qos: 0, isRetained: false },
    purpose: 'How device and cameras are doing, every telemetry.metrics_period_s.',
    forms: [json('metrics', metricsWire)],
  },
  detections: {
    address: topics.detections('DEVICE', 'CAMERA'),
    ...{ sender: 'device', qos: 0, isRetained: false },
    purpose:
      'What was found in a frame, one message a frame while telemetry.detections is on; telemetry.detections_form chooses the form.',
    forms: [json('detections', detectionsWire), json('compact-detections', compactDetectionsWire)],
  },
  preview: {
    address: topics.preview('DEVICE', 'CAMERA'),
    ...{ sender: 'device', qos: 0, isRetained: false },
    purpose: 'A picture of a camera, only while somebody asks for it (command preview).',
    forms: [
      {
        name: 'preview',
        contentType: 'image/jpeg',
        note: 'a JPEG whose first comment is "yolo-edge " and a JSON object: schema 1, frame_id, captured_at, width, height',
      },
    ],
  },
  counts: {
    address: topics.counts('DEVICE', 'CAMERA'),
    ...{ sender: 'device', qos: 1, isRetained: true },
    purpose:
      'What is in the zones of a camera, and what its zones and lines have counted today; at most one message a second, when something changes. Only of cameras with zones or lines.',
    forms: [json('counts', countsWire)],
  },
  events: {
    address: topics.events('DEVICE', 'CAMERA'),
    ...{ sender: 'device', qos: 1, isRetained: false },
    purpose:
      'What an object did in a zone or over a line, where events.enabled is on: new, update every events.update_s, and end of a stay in a zone, the end with the best picture where events.pictures is on; crossing of a line. Kept on disk while the broker is away; such a late one says historical.',
    forms: [json('event', sceneEventWire)],
  },
  command: {
    address: topics.command('DEVICE', 'COMMAND'),
    ...{ sender: 'viewer', qos: 1, isRetained: false },
    purpose: 'A question to a device. It changes nothing of what the device runs.',
    forms: [json('command', commandWire)],
  },
  response: {
    address: topics.response('DEVICE', 'COMMAND'),
    ...{ sender: 'device', qos: 1, isRetained: false },
    purpose: 'The answer to a command, with the transaction that the asker chose.',
    forms: [json('response', responseWire)],
  },
}

function addressIn(built: string): string {
  return built
    .slice(topics.root.length + 1)
    .replace(`${digest}/0`, '{sha256}/{index}')
    .replace(encodedVersion, '{version}')
    .replaceAll(/[A-Z]+/g, (word) => `{${word.toLowerCase()}}`)
}

/** As a version stands in a topic. */
const encodedVersion = /0.0.0/

/** All kinds of messages, in the order of the table. */
export const messageKinds: readonly MessageKind[] = Object.entries(rows).map(([kind, row]): MessageKind => ({
  signed: [],
  ...row,
  kind: kind as Topic['kind'],
  address: addressIn(row.address),
  bytesMax: payloadBytesMaxOf(kind as Topic['kind']),
}))

/** All questions that a device answers. */
export const commandKinds: readonly CommandKind[] = [
  {
    name: previewCommand,
    purpose: 'Sends pictures of the cameras for a while.',
    args: jsonSchemaOf(previewRequestSchema),
  },
  {
    name: deploymentsCommandName,
    purpose: 'How earlier deployments of the device ended.',
    data: jsonSchemaOf(deploymentHistorySchema),
  },
]

/** All forms of payloads, each once. */
export const payloadForms: readonly PayloadForm[] = [
  ...new Map(
    messageKinds.flatMap(({ forms, signed }) => [...forms, ...signed]).map((form) => [form.name, form]),
  ).values(),
]
