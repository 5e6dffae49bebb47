/**
 * The protocol as documents: a page for people, an AsyncAPI 3 document and JSON Schemas for programs.
 * Invariant: everything in them comes from the catalogue, and from examples that were recorded on a broker.
 */

import { commandKinds, type MessageKind, messageKinds, type PayloadForm, payloadForms } from './catalogue.js'
import type { JsonSchema } from './json-schema.js'
import { defaultRoot, type Topic } from './topics.js'

/** A message as it was on a broker. */
export interface ExampleMessage {
  readonly topic: string
  /** Text for JSON and plain text; for others a remark such as `61440 bytes`. */
  readonly payload: string
  /** Of an envelope: what its payload holds, as text. */
  readonly signed?: string
}

/** One recorded message of each kind that a run had. */
export type Examples = Readonly<Partial<Record<Topic['kind'], ExampleMessage>>>

/** A file of the documents, by its path below their folder. */
export interface DocumentFile {
  readonly path: string
  readonly text: string
}

/** All documents of the protocol at `version` of this program. */
export function protocolDocuments(version: string, examples: Examples): readonly DocumentFile[] {
  const schemas = payloadForms.flatMap(({ name, schema }) =>
    schema === undefined ? [] : [{ path: `schemas/${name}.json`, text: jsonText(schema) }],
  )
  return [
    { path: 'README.md', text: protocolPage(examples) },
    { path: 'asyncapi.json', text: jsonText(asyncApiDocument(version, examples)) },
    ...schemas,
  ]
}

const jsonText = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`

/** The protocol as an AsyncAPI 3 document, https://www.asyncapi.com/docs/reference/specification/v3.0.0. */
export function asyncApiDocument(version: string, examples: Examples): object {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'yolo-edge-agent',
      version,
      description: `Messages of a fleet of detectors over MQTT. Addresses begin with the setting broker.topic_root, ${defaultRoot} unless changed. In a name within an address a dot travels as "~". Operations are those of a device.`,
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(messageKinds.map((kind) => [kind.kind, channelOf(kind)])),
    operations: Object.fromEntries(messageKinds.map((kind) => [operationName(kind), operationOf(kind)])),
    components: {
      messages: Object.fromEntries(payloadForms.map((form) => [form.name, messageOf(form, examples)])),
      schemas: Object.fromEntries(
        payloadForms.flatMap(({ name, schema }) => (schema === undefined ? [] : [[name, embedded(schema)]])),
      ),
    },
  }
}

/** A schema without the words that only the head of a file may have. */
function embedded(schema: JsonSchema): JsonSchema {
  return Object.fromEntries(Object.entries(schema).filter(([word]) => word !== '$schema'))
}

const namesIn = (address: string): readonly string[] =>
  [...address.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)

function channelOf({ address, purpose, forms, signed }: MessageKind): object {
  const parameters = Object.fromEntries(namesIn(address).map((name) => [name, {}]))
  return {
    address: `${defaultRoot}/${address}`,
    description: purpose,
    ...(Object.keys(parameters).length > 0 && { parameters }),
    messages: Object.fromEntries(forms.map(({ name }) => [name, { $ref: `#/components/messages/${name}` }])),
    ...(signed.length > 0 && {
      'x-signed-payload': signed.map(({ name }) => ({ $ref: `#/components/messages/${name}` })),
    }),
  }
}

const isSentByDevice = ({ sender }: MessageKind): boolean => sender === 'device'

function operationName(kind: MessageKind): string {
  return `${isSentByDevice(kind) ? 'send' : 'receive'}-${kind.kind}`
}

function operationOf(kind: MessageKind): object {
  return {
    action: isSentByDevice(kind) ? 'send' : 'receive',
    channel: { $ref: `#/channels/${kind.kind}` },
    summary: kind.purpose,
    messages: kind.forms.map(({ name }) => ({ $ref: `#/channels/${kind.kind}/messages/${name}` })),
    bindings: { mqtt: { qos: kind.qos, retain: kind.isRetained, bindingVersion: '0.2.0' } },
  }
}

function messageOf(form: PayloadForm, examples: Examples): object {
  const { name, contentType, schema, note } = form
  const example = exampleOf(form, examples)
  return {
    name,
    contentType,
    ...(note !== undefined && { description: note }),
    ...(schema !== undefined && { payload: { $ref: `#/components/schemas/${name}` } }),
    ...(example !== undefined && schema !== undefined && { examples: [{ payload: example }] }),
  }
}

/** A recorded payload of a form, as a value. */
function exampleOf({ name }: PayloadForm, examples: Examples): unknown {
  for (const { kind, forms, signed } of messageKinds) {
    const example = examples[kind]
    if (example === undefined) continue
    if (forms[0]!.name === name) return valueOf(example.payload)
    if (signed[0]?.name === name && example.signed !== undefined) return valueOf(example.signed)
  }
  return undefined
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** The protocol as one page of Markdown. */
export function protocolPage(examples: Examples): string {
  const sections = messageKinds.map((kind) => kindSection(kind, examples[kind.kind]))
  return `${[pageHead, overview(), ...sections, commandsSection()].join('\n\n')}\n`
}

const pageHead = [
  '# Messages',
  '',
  'Printed by `yolo-edge protocol`; a test keeps these files equal to the code, and another holds all that a run of the demo sends against them.',
  `Every topic begins with the setting \`broker.topic_root\`, \`${defaultRoot}\` unless changed. In the levels that stand in braces a dot travels as \`~\`: the device \`cam.example\` is \`cam~example\`.`,
  'JSON is UTF-8 with keys in snake_case, and carries the number of its form as `schema`. Within a number fields are only added, and a reader passes over those that it does not know; anything else raises the number.',
  '[asyncapi.json](asyncapi.json) says the same to programs (AsyncAPI 3), [schemas](schemas) holds the JSON Schemas.',
  'Examples were recorded in a run of the demo; long texts and lists in them are cut.',
].join('\n')

const yesOrNo = (value: boolean): string => (value ? 'yes' : 'no')

function overview(): string {
  const rows = messageKinds.map(
    ({ kind, address, sender, qos, isRetained }) =>
      `| [${kind}](#${kind}) | \`${address}\` | ${sender} | ${qos} | ${yesOrNo(isRetained)} |`,
  )
  return [
    '## Topics',
    '',
    '| message | topic below the root | sent by | QoS | retained |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

function kindSection(kind: MessageKind, example: ExampleMessage | undefined): string {
  const { address, purpose, qos, isRetained, bytesMax, forms, signed } = kind
  return [
    `## ${kind.kind}`,
    '',
    purpose,
    '',
    `Topic \`${address}\`, QoS ${qos}, ${isRetained ? 'retained' : 'not retained'}, at most ${bytesMax} bytes.`,
    ...forms.flatMap((form) => ['', ...formLines(form)]),
    ...signed.flatMap((form) => ['', ...formLines(form, 'Signed payload ')]),
    ...(example === undefined ? [] : ['', ...exampleLines(example)]),
  ].join('\n')
}

function formLines({ name, contentType, schema, note }: PayloadForm, lead = ''): readonly string[] {
  const head = `${lead}\`${contentType}\`${note === undefined ? '' : `: ${note}`}`
  if (schema === undefined) return [head]
  const rows = fieldRows(schema, '')
  const file = `[schemas/${name}.json](schemas/${name}.json)`
  if (rows.length === 0)
    return [`${head}: one of ${(schema['enum'] as readonly string[]).join(', ')}; ${file}`]
  const rule = schema['$comment'] as string | undefined
  return [
    `${head}, ${file}:`,
    '',
    '| field | type | unit | required |',
    '| --- | --- | --- | --- |',
    ...rows,
    ...(rule === undefined ? [] : ['', `Expected besides: ${rule}.`]),
  ]
}

/** One row for each field, those of nested objects with their path. */
function fieldRows(schema: JsonSchema, path: string): readonly string[] {
  const alternatives = (schema['oneOf'] ?? []) as readonly JsonSchema[]
  const required = (schema['required'] ?? []) as readonly string[]
  const properties = Object.entries((schema['properties'] ?? {}) as Readonly<Record<string, JsonSchema>>)
  const own = properties.flatMap(([key, property]) => {
    const place = path === '' ? key : `${path}.${key}`
    const unit = (property['x-unit'] ?? '') as string
    const row = `| \`${place}\` | ${typeWords(property)} | ${unit} | ${yesOrNo(required.includes(key))} |`
    const items = property['items']
    const inner =
      typeof items === 'object' && items !== null
        ? fieldRows(items as JsonSchema, `${place}[]`)
        : fieldRows(property, place)
    return [row, ...inner]
  })
  const others = alternatives.flatMap((alternative) => fieldRows(alternative, path))
  return [...new Set([...own, ...others])]
}

function typeWords(schema: JsonSchema): string {
  if ('const' in schema) return `\`${JSON.stringify(schema['const'])}\``
  const choices = schema['enum'] as readonly unknown[] | undefined
  if (choices !== undefined) return choices.map((choice) => `\`${JSON.stringify(choice)}\``).join(', ')
  const type = (schema['type'] ?? 'any') as string
  if (type === 'array') return `list of ${itemWords(schema)}`
  if (type === 'integer' || type === 'number') return `${type}${rangeWords(schema)}`
  return type
}

function itemWords(schema: JsonSchema): string {
  const tuple = schema['prefixItems'] as readonly JsonSchema[] | undefined
  if (tuple !== undefined) return `${tuple.length} x ${typeWords(tuple[0]!)}`
  return typeWords((schema['items'] ?? {}) as JsonSchema)
}

/** Numbers above this are no bound that anybody has to know. */
const boundShownMax = 1e12

function rangeWords({ minimum, maximum }: JsonSchema): string {
  if (typeof minimum !== 'number' || typeof maximum !== 'number') return ''
  return maximum > boundShownMax ? ` from ${minimum}` : ` ${minimum}..${maximum}`
}

function exampleLines({ topic, payload, signed }: ExampleMessage): readonly string[] {
  const fence = (text: string): readonly string[] => ['```json', exampleText(text), '```']
  return [
    `Example, on \`${topic}\`:`,
    '',
    ...fence(payload),
    ...(signed === undefined ? [] : ['', 'and what it holds:', '', ...fence(signed)]),
  ]
}

const shownTextMax = 120
const shownItemsMax = 3

/** A payload as it is printed: long texts and lists cut, so that the page stays readable. */
function exampleText(text: string): string {
  const value = valueOf(text)
  if (typeof value !== 'object') return text
  return JSON.stringify(shortened(value), undefined, 2)
}

function shortened(value: unknown): unknown {
  if (typeof value === 'string') return value.length > shownTextMax ? `${value.slice(0, 40)}...` : value
  if (Array.isArray(value)) {
    const kept = value.slice(0, value.length > 8 ? shownItemsMax : value.length).map(shortened)
    return value.length > 8 ? [...kept, `... ${value.length - shownItemsMax} more`] : kept
  }
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, shortened(child)]))
}

function commandsSection(): string {
  const sections = commandKinds.flatMap(({ name, purpose, args, data }) => [
    '',
    `### ${name}`,
    '',
    purpose,
    ...(args === undefined ? [] : ['', ...tableOf('`args`', args)]),
    ...(data === undefined ? [] : ['', ...tableOf('`data` of the answer', data)]),
  ])
  return [
    '## Commands',
    '',
    'What `command` may name, and what `args` and `data` hold then.',
    ...sections,
  ].join('\n')
}

function tableOf(what: string, schema: JsonSchema): readonly string[] {
  return [
    `${what}:`,
    '',
    '| field | type | unit | required |',
    '| --- | --- | --- | --- |',
    ...fieldRows(schema, ''),
  ]
}
