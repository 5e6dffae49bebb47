/**
 * Validators of messages by their published schemas.
 * Invariant: a strict one refuses what a schema does not name, so that nothing is sent that is not documented.
 */

import { Ajv2020 } from 'ajv/dist/2020.js'
import { type MessageKind, messageKinds, type PayloadForm } from '../../src/protocol/catalogue.js'
import { unverifiedPayload } from '../../src/protocol/envelope-form.js'
import type { JsonSchema } from '../../src/protocol/json-schema.js'
import { defaultRoot, parseTopic } from '../../src/protocol/topics.js'

const ajv = new Ajv2020({ strict: false, allErrors: false, validateFormats: false })

/** A schema that allows only what it names. */
function closed(schema: JsonSchema, isAlternative = false): JsonSchema {
  const entries = Object.entries(schema).map(([word, value]): [string, unknown] => {
    if (word === 'properties')
      return [
        word,
        Object.fromEntries(
          Object.entries(value as Record<string, JsonSchema>).map(([key, each]) => [key, closed(each)]),
        ),
      ]
    if (word === 'oneOf') return [word, (value as JsonSchema[]).map((each) => closed(each, true))]
    if (word === 'prefixItems') return [word, (value as JsonSchema[]).map((each) => closed(each))]
    if (word === 'items' && typeof value === 'object') return [word, closed(value as JsonSchema)]
    return [word, value]
  })
  const isObject = schema['properties'] !== undefined && !isAlternative
  return { ...Object.fromEntries(entries), ...(isObject && { unevaluatedProperties: false }) }
}

/** Why a payload is not of a form; undefined when it is. */
export type FormCheck = (bytes: Uint8Array) => string | undefined

/** The check of one form by its schema, strict. */
export function checkOf({ name, contentType, schema }: PayloadForm): FormCheck {
  if (schema === undefined) return () => undefined
  const validate = ajv.compile(closed(schema))
  return (bytes) => {
    const text = Buffer.from(bytes).toString()
    const value: unknown = contentType === 'text/plain' ? text : JSON.parse(text)
    return validate(value)
      ? undefined
      : `${name}: ${ajv.errorsText(validate.errors)} in ${text.slice(0, 300)}`
  }
}

const checks = new Map(
  messageKinds
    .flatMap(({ forms, signed }) => [...forms, ...signed])
    .map((form) => [form.name, checkOf(form)]),
)

function problemWith(forms: readonly PayloadForm[], bytes: Uint8Array): string | undefined {
  const problems = forms.map(({ name }) => checks.get(name)!(bytes))
  return problems.includes(undefined) ? undefined : problems.join('; ')
}

/** The kind of a message by its topic, and what is wrong with it by the documents. */
export function judge(
  topic: string,
  payload: Uint8Array,
): { readonly kind?: MessageKind; readonly problem?: string } {
  const parsed = parseTopic(defaultRoot, topic)
  const kind = messageKinds.find((each) => each.kind === parsed?.kind)
  if (kind === undefined) return { problem: `${topic} is in no document` }
  const own = problemWith(kind.forms, payload)
  if (own !== undefined) return { kind, problem: own }
  if (kind.signed.length === 0) return { kind }
  const types = kind.signed.map(({ contentType }) => contentType)
  const { payloadType, payload: inner } = unverifiedPayload(payload, types)
  const problem = problemWith(
    kind.signed.filter(({ contentType }) => contentType === payloadType),
    inner,
  )
  return problem === undefined ? { kind } : { kind, problem }
}
