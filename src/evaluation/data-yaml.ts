/**
 * The description file of an Ultralytics data set (`data.yaml`): where the pictures are and what the classes are called.
 * Invariant: class names are complete, 0..n-1.
 */

import { parse } from 'yaml'
import * as v from 'valibot'
import { AgentError, messageOf } from '../base/errors.js'
import { numberedClassNames } from '../yolo/class-names.js'
import { issueText } from './validation-issue.js'

const name = v.pipe(v.union([v.string(), v.number(), v.boolean()]), v.transform(String), v.minLength(1))
const places = v.optional(
  v.nullable(
    v.pipe(
      v.union([v.string(), v.array(v.string())]),
      v.transform((value) => (typeof value === 'string' ? [value] : value).filter((place) => place !== '')),
    ),
  ),
)
/** `nc: 3`, and `nc: "3"` as some tools write it. */
const count = v.pipe(
  v.union([v.number(), v.pipe(v.string(), v.trim(), v.nonEmpty(), v.transform(Number))]),
  v.integer(),
  v.minValue(1),
  v.maxValue(10_000),
)

const dataYaml = v.object({
  path: v.optional(v.nullable(v.string())),
  train: places,
  val: places,
  validation: places,
  names: v.optional(v.nullable(v.union([v.array(name), v.record(v.string(), name)]))),
  nc: v.optional(v.nullable(count)),
  kpt_shape: v.optional(
    v.nullable(v.tuple([v.pipe(v.number(), v.integer(), v.minValue(1)), v.picklist([2, 3])])),
  ),
})

export interface DataYaml {
  /** The folder that the others are below; '' where not given. */
  readonly path: string
  /** Folders, list files or pictures, as written; empty where not given. */
  readonly train: readonly string[]
  /** What the key `val` lists, or `validation` where that one is missing. */
  readonly val: readonly string[]
  /** `class_0`, `class_1`, ... where the file has only their count, `nc`. */
  readonly classNames: readonly string[]
  /** Numbers that each label line has behind its box in a data set of poses (`kpt_shape`); 0 elsewhere. */
  readonly keypointFields: number
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
  const { path, train, val, validation, kpt_shape: keypoints } = result.output
  return {
    path: path ?? '',
    train: train ?? [],
    val: val ?? validation ?? [],
    classNames: classNamesOf(result.output, refuse),
    keypointFields: keypoints ? keypoints[0] * keypoints[1] : 0,
  }
}

/** Whether a text reads as a data.yaml: it names classes and a place of pictures. Other YAML files lie beside it. */
export function isDataYaml(text: string): boolean {
  try {
    const { train, val } = parseDataYaml(text, '')
    return train.length + val.length > 0
  } catch {
    return false
  }
}

function classNamesOf(
  { names, nc }: v.InferOutput<typeof dataYaml>,
  refuse: (problem: string) => AgentError,
): readonly string[] {
  if (names === undefined || names === null) {
    if (nc === undefined || nc === null)
      throw refuse('it has neither names nor nc, expected the names of the classes')
    return numberedClassNames(nc)
  }
  const ordered = orderedNames(names, refuse)
  if (nc !== undefined && nc !== null && nc !== ordered.length)
    throw refuse(`nc is ${nc}, but names has ${ordered.length} classes: expected the same count`)
  return ordered
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
