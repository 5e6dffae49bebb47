/** Field types that several payloads share. Invariant: each states what it expects in words, for the refusal. */

import * as v from 'valibot'
import { isSha256 } from '../base/sha256.js'
import {
  isName,
  isVersion,
  nameExpected,
  nameLengthMax,
  namePattern,
  versionExpected,
  versionLengthMax,
  versionPattern,
} from './names.js'

/** What a JSON Schema says of a field that is checked by code, and the unit of its values. */
interface WireNotes {
  readonly jsonSchema?: Readonly<Record<string, unknown>>
  readonly unit?: string
}

/** Notes on a field for the documents that are made from its schema; checks nothing. */
export const wireNotes = <T>(notes: WireNotes): v.MetadataAction<T, WireNotes & Record<string, unknown>> =>
  v.metadata({ ...notes })

/** A field that holds a name of any kind. */
export const nameField = v.pipe(
  v.string(),
  v.check(isName, nameExpected),
  wireNotes({ jsonSchema: { minLength: 1, maxLength: nameLengthMax, pattern: namePattern.source } }),
)

/** A field that holds a semantic version. */
export const versionField = v.pipe(
  v.string(),
  v.check(isVersion, versionExpected),
  wireNotes({ jsonSchema: { maxLength: versionLengthMax, pattern: versionPattern.source } }),
)

/** A field that holds a digest. */
export const sha256Field = v.pipe(
  v.string(),
  v.check(isSha256, '64 lower-case hexadecimal digits'),
  wireNotes({ jsonSchema: { pattern: '^[0-9a-f]{64}$' } }),
)

/** A line of text of at most `lengthMax` UTF-16 units, without control characters. */
export const lineField = (lengthMax: number): v.GenericSchema<unknown, string> =>
  v.pipe(
    v.string(),
    v.maxLength(lengthMax, `at most ${lengthMax} characters`),
    v.check((text) => !/[\u0000-\u001f\u007f]/.test(text), 'one line without control characters'),
    wireNotes({ jsonSchema: { pattern: '^[^\\u0000-\\u001f\\u007f]*$' } }),
  )

/** A lower-case word of an open list: kinds, encodings, providers. A reader skips what it does not know. */
export const wordField = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9][a-z0-9._-]{0,39}$/, 'a word of at most 40 of a-z, 0-9, ".", "_", "-"'),
)

/** A whole number within a range, both ends included. */
export const integerField = (least: number, most: number): v.GenericSchema<unknown, number> =>
  v.pipe(
    v.number(),
    v.check(
      (value) => Number.isSafeInteger(value) && value >= least && value <= most,
      `a whole number in ${least}..${most}`,
    ),
    wireNotes({ jsonSchema: { type: 'integer', minimum: least, maximum: most } }),
  )

/** A finite number within a range, both ends included. */
export const numberField = (least: number, most: number): v.GenericSchema<unknown, number> =>
  v.pipe(
    v.number(),
    v.check((value) => value >= least && value <= most, `a number in ${least}..${most}`),
    wireNotes({ jsonSchema: { minimum: least, maximum: most } }),
  )

/** 0..1. */
export const fractionField = numberField(0, 1)

/** A non-negative count, size or duration. */
export const countField = integerField(0, Number.MAX_SAFE_INTEGER)

/** A non-negative measured amount. */
export const amountField = numberField(0, 1e15)

/** A moment: ISO 8601 in UTC, such as 2026-01-31T12:00:00.000Z. */
export const momentField = v.pipe(
  v.string(),
  v.check(
    (text) =>
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/.test(text) && Number.isFinite(Date.parse(text)),
    'a moment such as 2026-01-31T12:00:00Z',
  ),
  wireNotes({ jsonSchema: { format: 'date-time' }, unit: 'ISO 8601, UTC' }),
)

/** A list of at most `countMax` items. */
export const listField = <T>(
  item: v.GenericSchema<unknown, T>,
  countMax: number,
): v.GenericSchema<unknown, T[]> => v.pipe(v.array(item), v.maxLength(countMax, `at most ${countMax} items`))
