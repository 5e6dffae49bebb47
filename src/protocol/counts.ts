/**
 * What is in the zones of a camera now, and what its zones and lines have counted today; retained, sent when it changes.
 * Invariant: names of classes are those of the model; of the classes of one zone or line at most `countedClassesMax` are listed,
 * the most frequent ones, while the sums hold all.
 */

import * as v from 'valibot'
import { amountField, countField, lineField, listField, momentField, nameField, wireNotes } from './fields.js'
import { jsonPayload } from './json-payload.js'
import { limits } from './limits.js'

/** Classes that are listed of one zone or line. */
export const countedClassesMax = 50
/** Zones, and lines, of one camera. */
const countersMax = 16
/** Names of classes are cut to this many UTF-16 units. */
export const countedNameLengthMax = 100

/** One zone. */
export interface ZoneCounts {
  readonly name: string
  /** Objects that are in it now. */
  readonly objects: number
  /** Since when the one that came first of them is there; absent while it is empty. */
  readonly occupiedSince?: string
  /** Today. */
  readonly entered: number
  readonly left: number
  /** How long those that left today were inside on average, milliseconds; absent before the first. */
  readonly meanDwellMs?: number
  readonly classes: readonly {
    readonly class: string
    readonly objects: number
    readonly entered: number
    readonly left: number
  }[]
}

/** One line: today's crossings. Forward is from the left to the right of whoever looks from the first point to the second. */
export interface LineCounts {
  readonly name: string
  readonly forward: number
  readonly backward: number
  readonly classes: readonly {
    readonly class: string
    readonly forward: number
    readonly backward: number
  }[]
}

/** The counts of one camera. */
export interface Counts {
  readonly at: string
  /** The day of the sums, in the local time of the device: YYYY-MM-DD. */
  readonly day: string
  readonly zones: readonly ZoneCounts[]
  readonly lines: readonly LineCounts[]
}

const dayField = v.pipe(
  v.string(),
  v.regex(/^\d{4}-\d\d-\d\d$/, 'a day such as 2026-01-31'),
  wireNotes({ unit: 'local date' }),
)
const classField = lineField(countedNameLengthMax)

const countsSchema: v.GenericSchema<unknown, Counts> = v.object({
  at: momentField,
  day: dayField,
  zones: listField(
    v.object({
      name: nameField,
      objects: countField,
      occupiedSince: v.exactOptional(momentField),
      entered: countField,
      left: countField,
      meanDwellMs: v.exactOptional(amountField),
      classes: listField(
        v.object({ class: classField, objects: countField, entered: countField, left: countField }),
        countedClassesMax,
      ),
    }),
    countersMax,
  ),
  lines: listField(
    v.object({
      name: nameField,
      forward: countField,
      backward: countField,
      classes: listField(
        v.object({ class: classField, forward: countField, backward: countField }),
        countedClassesMax,
      ),
    }),
    countersMax,
  ),
})

const payload = jsonPayload<Counts>({
  what: 'counts',
  schema: countsSchema,
  bytesMax: limits.countsBytes,
  version: 1,
})

/** Reads the counts of a camera. Throws `protocol.*` errors that name the field. */
export const parseCounts = payload.parse

/** Writes the counts of a camera. Throws the same errors when a reader would refuse them. */
export const encodeCounts = payload.encode

/** The form on the wire, for documents. */
export const countsWire = payload.shape
