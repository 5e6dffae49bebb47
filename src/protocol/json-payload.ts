/**
 * One way to read and write every JSON payload: size, text, keys, then shape.
 * Wire keys are snake_case, values inside are camelCase; a wire key in another form counts as unknown and is ignored.
 * Invariant: whatever bytes come in, the outcome is a value of the schema or an AgentError that names the field; no string
 * of the value holds a character that a terminal would obey.
 */

import * as v from 'valibot'
import { AgentError, messageOf } from '../base/errors.js'
import { isPrintableJson, printableValue } from '../base/printable.js'
import { quote } from './names.js'

const wireKeyPattern = /^[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*$/
const depthMax = 16

/** What a payload type looks like on the wire, for documents that describe it. */
export interface PayloadShape {
  /** What it is, for messages: `manifest`. */
  readonly what: string
  /** Of the value inside, with camelCase keys. */
  readonly schema: v.GenericSchema
  readonly version: number
  readonly bytesMax: number
  readonly opaque: readonly string[]
}

/** A payload type: how to read it and how to write it. */
export interface JsonPayload<T> {
  readonly shape: PayloadShape
  /** Throws `protocol.payload_oversized`, `protocol.version_unsupported` or `protocol.payload_malformed`. */
  readonly parse: (bytes: Uint8Array) => T
  /** Throws the same errors: what a peer would refuse is not sent. */
  readonly encode: (value: T) => Uint8Array
}

export interface JsonPayloadOptions<T> {
  /** What it is, for messages: `manifest`. */
  readonly what: string
  readonly schema: v.GenericSchema<unknown, T>
  readonly bytesMax: number
  /** The schema version that this code writes and reads; the payload carries it as `schema`. */
  readonly version: number
  /** Other versions that are read as well, never written. */
  readonly alsoReads?: ReadonlyMap<number, v.GenericSchema<unknown, T>>
  /** Top-level fields whose content is passed through as it is, keys included. */
  readonly opaque?: readonly string[]
}

const camelOf = (key: string): string =>
  key.replaceAll(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase())

/** The wire's word for a key: `sizeBytes` is `size_bytes`. */
export const snakeOf = (key: string): string =>
  key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** `value` with every key turned by `keyOf`; keys for which it gives undefined are left out, deep nesting is refused. */
function renameKeys(
  value: unknown,
  keyOf: (key: string) => string | undefined,
  opaque: readonly string[],
  depth = 0,
): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (depth > depthMax) throw new RangeError(`nested deeper than ${depthMax} levels`)
  if (Array.isArray(value)) return value.map((item) => renameKeys(item, keyOf, [], depth + 1))
  const entries: [string, unknown][] = []
  for (const [key, child] of Object.entries(value)) {
    const renamed = keyOf(key)
    if (renamed === undefined || child === undefined) continue
    entries.push([renamed, renameKeys(child, opaque.includes(key) ? keepKey : keyOf, [], depth + 1)])
  }
  return Object.fromEntries(entries)
}

const keepKey = (key: string): string => key

const fromWireKey = (key: string): string | undefined => (wireKeyPattern.test(key) ? camelOf(key) : undefined)

/** The place of an issue in the wire's words: `variants[0].size_bytes`. */
function pathOf(issue: v.BaseIssue<unknown>): string {
  let path = ''
  for (const item of issue.path ?? []) {
    if (typeof item.key === 'number') path += `[${item.key}]`
    else path += `${path === '' ? '' : '.'}${snakeOf(quoteKey(item.key))}`
  }
  return path === '' ? 'the whole' : path
}

function quoteKey(key: unknown): string {
  return typeof key === 'string' ? key.slice(0, 40) : quote(key)
}

/** What was wanted at an issue: a schema's own words where it has some. */
function expectationOf(issue: v.BaseIssue<unknown>): string {
  return issue.message.startsWith('Invalid ') ? (issue.expected ?? issue.type) : issue.message
}

function malformed(what: string, problem: string, cause?: unknown): AgentError {
  return new AgentError('protocol.payload_malformed', `cannot accept the ${what}: ${problem}`, { cause })
}

function requireSize(what: string, sizeBytes: number, bytesMax: number): void {
  if (sizeBytes <= bytesMax) return
  const problem = `cannot accept the ${what}: it has ${sizeBytes} bytes, expected at most ${bytesMax}`
  throw new AgentError('protocol.payload_oversized', problem)
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
const encoder = new TextEncoder()

/** The value in `bytes`, and whether all its strings are printable as they are. */
function parseText(
  what: string,
  bytes: Uint8Array,
): { readonly value: unknown; readonly isPrintable: boolean } {
  try {
    const text = utf8.decode(bytes)
    return { value: JSON.parse(text) as unknown, isPrintable: isPrintableJson(text) }
  } catch (thrown) {
    throw malformed(what, `it is not JSON in UTF-8: ${quote(messageOf(thrown))}`, thrown)
  }
}

/**
 * The schema that `value` says it has; refuses a newer one.
 * Rule: within one schema number fields are only added, and unknown fields are ignored; anything else raises the number.
 */
function requireVersion<T>(value: unknown, options: JsonPayloadOptions<T>): v.GenericSchema<unknown, T> {
  const { what, version, alsoReads } = options
  const schema = typeof value === 'object' && value !== null && 'schema' in value ? value.schema : undefined
  if (schema === version) return options.schema
  const other = typeof schema === 'number' ? alsoReads?.get(schema) : undefined
  if (other !== undefined) return other
  if (typeof schema === 'number' && Number.isInteger(schema) && schema > version) {
    const problem = `cannot accept the ${what}: its schema is ${schema}, expected ${version}`
    throw new AgentError('protocol.version_unsupported', problem, { hint: 'Update the agent on this device' })
  }
  throw malformed(what, `schema is ${quote(schema)}, expected ${version}`)
}

/** The payload type described by `options`. */
export function jsonPayload<T>(options: JsonPayloadOptions<T>): JsonPayload<T> {
  const { what, schema, bytesMax, version, opaque = [] } = options

  const check = (value: unknown, form: v.GenericSchema<unknown, T>): T => {
    const outcome = v.safeParse(form, value, { abortEarly: true })
    if (outcome.success) return outcome.output
    const issue = outcome.issues[0]
    const found = issue.input === undefined ? 'missing' : quote(issue.input)
    throw malformed(what, `${pathOf(issue)} is ${found}, expected ${expectationOf(issue)}`)
  }

  const rename = (value: unknown, keyOf: (key: string) => string | undefined): unknown => {
    try {
      return renameKeys(value, keyOf, opaque)
    } catch (thrown) {
      throw malformed(what, messageOf(thrown), thrown)
    }
  }

  return {
    shape: { what, schema, version, bytesMax, opaque },
    parse(bytes) {
      requireSize(what, bytes.byteLength, bytesMax)
      const { value, isPrintable } = parseText(what, bytes)
      const form = requireVersion(value, options)
      const checked = check(rename(value, fromWireKey), form)
      // Of the same shape, so of the same type.
      return isPrintable ? checked : (printableValue(checked) as T)
    },
    encode(value) {
      const wire = rename(check(value, schema), snakeOf) as object
      const bytes = encoder.encode(JSON.stringify({ schema: version, ...wire }))
      requireSize(what, bytes.byteLength, bytesMax)
      return bytes
    },
  }
}
