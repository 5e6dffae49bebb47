/**
 * What an object did in the picture of a camera: its stay in a zone from beginning to end, or its way over a line.
 *
 *     new -> update -> update -> end        one stay in one zone, all with one id
 *     crossing                              over a line
 *
 * Invariant: a stay has exactly one `new` and, unless the device loses its power, one `end`; only an `end` has a picture.
 */

import * as v from 'valibot'
import { countedNameLengthMax } from './counts.js'
import {
  countField,
  fractionField,
  integerField,
  lineField,
  momentField,
  nameField,
  versionField,
  wireNotes,
} from './fields.js'
import { trackIdMax } from './detections.js'
import { jsonPayload } from './json-payload.js'
import { limits } from './limits.js'

/** What happens to an object. */
export interface SceneEvent {
  readonly at: string
  /** Of the stay, or of the crossing: never used twice. */
  readonly id: string
  readonly kind: 'new' | 'update' | 'end' | 'crossing'
  readonly camera: string
  /** Where it stays; absent for a crossing. */
  readonly zone?: string
  /** Which line it has crossed, and whether from the left to the right of whoever looks along it. */
  readonly line?: string
  readonly direction?: 'forward' | 'backward'
  readonly class: string
  readonly trackId: number
  /** Of the object as it was seen last, and the best of the stay. */
  readonly score: number
  readonly bestScore: number
  /** Where it was seen last: left, top, right, bottom as shares of the picture. */
  readonly share: readonly [number, number, number, number]
  /** When it entered the zone, and how long it was there. */
  readonly since?: string
  readonly dwellMs?: number
  readonly model: string
  readonly version: string
  /** The best picture of the object in this stay, and where it is in it. */
  readonly picture?: {
    /** JPEG in base64. */
    readonly jpeg: string
    readonly at: string
    readonly share: readonly [number, number, number, number]
  }
  /** Whether this was sent later than it happened, because the device was offline. */
  readonly historical?: boolean
}

const shareField = v.pipe(
  v.strictTuple([fractionField, fractionField, fractionField, fractionField]),
  wireNotes({ unit: 'shares of width and height: left, top, right, bottom' }),
)

const base64Field = v.pipe(
  v.string(),
  v.maxLength(limits.eventBytes, `at most ${limits.eventBytes} characters`),
  v.regex(/^[A-Za-z0-9+/]*={0,2}$/, 'base64'),
  wireNotes({ unit: 'JPEG in base64' }),
)

const eventSchema: v.GenericSchema<unknown, SceneEvent> = v.object({
  at: momentField,
  id: lineField(64),
  kind: v.picklist(['new', 'update', 'end', 'crossing']),
  camera: nameField,
  zone: v.exactOptional(nameField),
  line: v.exactOptional(nameField),
  direction: v.exactOptional(v.picklist(['forward', 'backward'])),
  class: lineField(countedNameLengthMax),
  trackId: integerField(1, trackIdMax),
  score: fractionField,
  bestScore: fractionField,
  share: shareField,
  since: v.exactOptional(momentField),
  dwellMs: v.exactOptional(countField),
  model: nameField,
  version: versionField,
  picture: v.exactOptional(v.object({ jpeg: base64Field, at: momentField, share: shareField })),
  historical: v.exactOptional(v.boolean()),
})

const payload = jsonPayload<SceneEvent>({
  what: 'event',
  schema: eventSchema,
  bytesMax: limits.eventBytes,
  version: 1,
})

/** Reads an event. Throws `protocol.*` errors that name the field. */
export const parseSceneEvent = payload.parse

/** Writes an event. Throws the same errors when a reader would refuse it. */
export const encodeSceneEvent = payload.encode

/** The form on the wire, for documents. */
export const sceneEventWire = payload.shape
