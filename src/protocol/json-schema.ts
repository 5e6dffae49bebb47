/**
 * The schemas of payloads as JSON Schema (draft 2020-12), in the words of the wire.
 * Invariant: what the reader of a payload accepts is valid by its JSON Schema; rules between fields, which JSON Schema cannot
 * say, stand in `$comment`. Units stand in `x-unit`.
 */

import { toJsonSchema } from '@valibot/to-json-schema'
import type * as v from 'valibot'
import { type PayloadShape, snakeOf } from './json-payload.js'

/** A JSON Schema, or a part of one. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** Units by the last word of a key: the protocol names them there. */
const unitOfSuffix: ReadonlyMap<string, string> = new Map([
  ['ms', 'milliseconds'],
  ['s', 'seconds'],
  ['bytes', 'bytes'],
  ['c', 'degrees Celsius'],
  ['percent', 'percent, 0..100'],
  ['fps', 'frames a second'],
  ['at', 'ISO 8601, UTC'],
])

/** The unit that a key of the wire names, such as `inference_ms`. */
export function unitOf(key: string): string | undefined {
  if (key.startsWith('fps_')) return unitOfSuffix.get('fps')
  return unitOfSuffix.get(key.slice(key.lastIndexOf('_') + 1))
}

/** The JSON Schema of a payload as it travels, its version number included. */
export function wireSchemaOf({ what, schema, version, opaque }: PayloadShape): JsonSchema {
  const { properties, required, ...rest } = jsonSchemaOf(schema, { opaque }) as JsonSchema & {
    readonly properties: JsonSchema
    readonly required?: readonly string[]
  }
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: what,
    ...withVersion({ ...rest, properties, required: required ?? [] }, version),
  }
}

/** `schema` with the version number that every payload carries. */
function withVersion(schema: JsonSchema, version: number): JsonSchema {
  const { properties, required, ...rest } = schema as {
    readonly properties?: JsonSchema
    readonly required: readonly string[]
  }
  return {
    type: 'object',
    ...rest,
    properties: { schema: { const: version }, ...properties },
    required: ['schema', ...required],
  }
}

interface KeyRules {
  /** Keys whose content travels as it is. */
  readonly opaque?: readonly string[]
  /** The keys travel as they are written. */
  readonly keepsKeys?: boolean
}

/** The JSON Schema of a value with camelCase keys, as it travels: snake_case, unless `rules` say otherwise. */
export function jsonSchemaOf(schema: v.GenericSchema, rules: KeyRules = {}): JsonSchema {
  const plain = toJsonSchema(schema, {
    target: 'draft-2020-12',
    typeMode: 'input',
    errorMode: 'ignore',
    overrideAction: ({ valibotAction, jsonSchema }) => {
      const action = valibotAction as v.PipeAction<unknown, unknown, v.BaseIssue<unknown>>
      if (action.kind === 'metadata' && action.type === 'metadata')
        return withNotes(jsonSchema as JsonSchema, action as unknown as { readonly metadata: Notes })
      if (action.type === 'check' && typeof (action as { message?: unknown }).message === 'string')
        return { ...jsonSchema, $comment: (action as unknown as { message: string }).message }
      return undefined
    },
  }) as JsonSchema
  return inWireWords(Object.fromEntries(Object.entries(plain).filter(([word]) => word !== '$schema')), rules)
}

const noteWords: ReadonlySet<string> = new Set(['jsonSchema', 'unit'])

interface Notes {
  readonly jsonSchema?: JsonSchema
  readonly unit?: string
}

function withNotes(schema: JsonSchema, { metadata }: { readonly metadata: Notes }): JsonSchema {
  return {
    ...schema,
    ...metadata.jsonSchema,
    ...(metadata.unit !== undefined && { 'x-unit': metadata.unit }),
  }
}

/** `schema` with the keys of objects as they travel, and the units that they name. */
function inWireWords(schema: JsonSchema, rules: KeyRules): JsonSchema {
  const isFigure = schema['type'] === 'number' || schema['type'] === 'integer'
  const words = Object.entries(schema).filter(
    // Bounds say of a number what its check says; the notes themselves are no words of JSON Schema.
    ([word]) => !noteWords.has(word) && !(word === '$comment' && isFigure),
  )
  const entries = words.map(([word, value]): [string, unknown] => {
    if (word === 'properties') return [word, propertiesInWireWords(value as JsonSchema, rules)]
    if (word === 'required' && rules.keepsKeys !== true)
      return [word, (value as readonly string[]).map(snakeOf)]
    if (Array.isArray(value))
      return [word, value.map((item: unknown) => (isSchema(item) ? inWireWords(item, rules) : item))]
    return [word, isSchema(value) ? inWireWords(value, rules) : value]
  })
  return Object.fromEntries(entries)
}

function propertiesInWireWords(properties: JsonSchema, rules: KeyRules): JsonSchema {
  const entries = Object.entries(properties).map(([key, value]): [string, unknown] => {
    const isOpaque = rules.opaque?.includes(key) === true
    const property = inWireWords(value as JsonSchema, isOpaque ? { keepsKeys: true } : rules)
    const wireKey = rules.keepsKeys === true ? key : snakeOf(key)
    const unit = 'x-unit' in property ? undefined : unitOf(wireKey)
    const isFigure = property['type'] === 'number' || property['type'] === 'integer'
    return [wireKey, unit === undefined || !isFigure ? property : { ...property, 'x-unit': unit }]
  })
  return Object.fromEntries(entries)
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
