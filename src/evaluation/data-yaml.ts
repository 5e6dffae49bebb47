/**
 * The description file of an Ultralytics data set (`data.yaml`): where the pictures are and what the classes are called.
 * Invariant: class names are complete, 0..n-1.
 */

import { parse } from 'yaml'
import * as v from 'valibot'
import { AgentError, messageOf } from '../base/errors.js'
import { issueText } from './validation-issue.js'

const name = v.pipe(v.union([v.string(), v.number()]), v.transform(String), v.minLength(1))
const folders = v.pipe(
  v.union([v.string(), v.array(v.string())]),
  v.transform((value) => (typeof value === 'string' ? [value] : value)),
)

const dataYaml = v.object({
  path: v.optional(v.string(), ''),
  train: v.optional(v.nullable(folders)),
  val: v.optional(v.nullable(folders)),
  names: v.union([v.array(name), v.record(v.string(), name)]),
})

export interface DataYaml {
  /** The folder that the others are below; '' where not given. */
  readonly path: string
  /** Folders or list files of pictures, as written; empty where not given. */
  readonly train: readonly string[]
  readonly val: readonly string[]
  readonly classNames: readonly string[]
}

/** Reads a data.yaml; `file` is for messages. Throws `dataset.label_invalid`. */
export function parseDataYaml(text: string, file: string): DataYaml {
  const refuse = (problem: string): AgentError =>
    new AgentError('dataset.label_invalid', `reading a data set: ${file}: ${problem}`)
  let document: unknown
  try {
    document = parse(text)
  } catch (thrown) {
    throw refuse(`no YAML: ${messageOf(thrown)}`)
  }
  const result = v.safeParse(dataYaml, document, { abortEarly: true })
  if (!result.success) throw refuse(issueText(result.issues[0]))
  const { path, train, val, names } = result.output
  return { path, train: train ?? [], val: val ?? [], classNames: orderedNames(names, refuse) }
}

function orderedNames(
  names: readonly string[] | Readonly<Record<string, string>>,
  refuse: (problem: string) => AgentError,
): readonly string[] {
  const byIndex = new Map(Object.entries(names))
  if (byIndex.size === 0) throw refuse('names is empty')
  return Array.from({ length: byIndex.size }, (_, index) => {
    const found = byIndex.get(String(index))
    if (found === undefined) throw refuse(`names has ${byIndex.size} classes, but class ${index} is missing`)
    return found
  })
}
