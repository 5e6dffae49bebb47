/**
 * The annotation file of COCO data sets (`instances.json`).
 * Invariant: what comes out is complete and consistent: every object lies in a listed picture and has a listed category;
 * a picture with an annotation that does not fit is named and left out, with all its objects.
 */

import * as v from 'valibot'
import { AgentError, messageOf } from '../base/errors.js'
import type { LabelledImage } from './evaluate.js'
import type { GroundTruth } from './ground-truth.js'
import { classList, matchClasses } from './match-classes.js'
import { issueText } from './validation-issue.js'

const id = v.pipe(v.number(), v.safeInteger())
const side = v.pipe(v.number(), v.safeInteger(), v.minValue(1))
const length = v.pipe(v.number(), v.finite(), v.minValue(0))

const instances = v.object({
  images: v.array(v.object({ id, file_name: v.pipe(v.string(), v.minLength(1)), width: side, height: side })),
  categories: v.array(v.object({ id, name: v.pipe(v.string(), v.minLength(1)) })),
  annotations: v.array(v.looseObject({ image_id: id })),
})

const annotation = v.object({
  image_id: id,
  category_id: id,
  bbox: v.tuple([v.pipe(v.number(), v.finite()), v.pipe(v.number(), v.finite()), length, length]),
  area: v.optional(v.nullable(length)),
  iscrowd: v.optional(v.nullable(v.union([v.picklist([0, 1]), v.boolean()]))),
})

type Instances = v.InferOutput<typeof instances>
type Refusal = (problem: string) => AgentError

/** A picture of the data set; `name` is its file name. */
export interface CocoImage extends LabelledImage {
  readonly width: number
  readonly height: number
}

export interface CocoDataset {
  /** The pictures that the file lists, in its order. */
  readonly images: readonly CocoImage[]
  /** Pictures with an annotation that does not fit: what is wrong with the first. */
  readonly leftOut: readonly { readonly name: string; readonly problem: string }[]
  /** Names of categories that the model does not know; their objects are left out. */
  readonly unknownCategories: readonly string[]
  /** Sentences about what a person should know of the file. */
  readonly remarks: readonly string[]
}

/**
 * Reads an annotation file. A category is the model's class of the same name; a model with numbers for names takes the
 * n-th category by rising id as class n, provided there are as many.
 * `file` is for messages. Throws `dataset.label_invalid`.
 */
export function parseCocoInstances(text: string, file: string, classNames: readonly string[]): CocoDataset {
  const refuse: Refusal = (problem) =>
    new AgentError('dataset.label_invalid', `reading labels: ${file}: ${problem}`)
  const parsed = parse(text, refuse)
  const { classes, remark } = classesOf(parsed.categories, classNames, refuse)
  const truths = new Map<number, GroundTruth[]>(parsed.images.map((image) => [image.id, []]))
  if (truths.size < parsed.images.length) throw refuse('two images have the same id')
  const names = new Map(parsed.categories.map((category) => [category.id, category.name]))
  const unknown = new Set<string>()
  const problems = new Map<number, string>()
  let unlisted = 0
  for (const [index, each] of parsed.annotations.entries()) {
    const list = truths.get(each.image_id)
    if (list === undefined) {
      unlisted++
      continue
    }
    const read = objectOf(each, names)
    if (typeof read === 'string') {
      if (!problems.has(each.image_id)) problems.set(each.image_id, `${file}: annotations[${index}]${read}`)
      continue
    }
    const classIndex = classes.get(read.category)
    if (classIndex === undefined) unknown.add(names.get(read.category)!)
    else list.push({ classIndex, ...read.object })
  }
  const images = parsed.images.map((image) => ({
    name: image.file_name,
    width: image.width,
    height: image.height,
    groundTruths: truths.get(image.id)!,
    problem: problems.get(image.id),
  }))
  const remarks = [
    remark,
    unlisted === 0 ? undefined : `${unlisted} annotations of ${file} are of pictures that it does not list`,
  ]
  return {
    images: images.flatMap(({ problem, ...image }) => (problem === undefined ? [image] : [])),
    leftOut: images.flatMap(({ name, problem }) => (problem === undefined ? [] : [{ name, problem }])),
    unknownCategories: [...unknown].sort(),
    remarks: remarks.filter((each) => each !== undefined),
  }
}

interface ReadObject {
  readonly category: number
  readonly object: Omit<GroundTruth, 'classIndex'>
}

/** The object of an annotation, or what does not fit, to stand behind its place. */
function objectOf(value: unknown, names: ReadonlyMap<number, string>): ReadObject | string {
  const result = v.safeParse(annotation, value, { abortEarly: true })
  if (!result.success) return `.${issueText(result.issues[0])}`
  const { category_id: category, bbox, area, iscrowd } = result.output
  if (!names.has(category)) return ` is of category ${category}, which is not listed`
  const [x, y, width, height] = bbox
  const crowd = iscrowd === 1 || iscrowd === true
  return {
    category,
    object: { x1: x, y1: y, x2: x + width, y2: y + height, area: area ?? width * height, crowd },
  }
}

function parse(text: string, refuse: Refusal): Instances {
  let json: unknown
  try {
    json = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (thrown) {
    throw refuse(`no JSON: ${messageOf(thrown)}`)
  }
  const result = v.safeParse(instances, json, { abortEarly: true })
  if (result.success) return result.output
  throw refuse(issueText(result.issues[0]))
}

/** The class index of each category id of the file. */
function classesOf(
  categories: Instances['categories'],
  classNames: readonly string[],
  refuse: Refusal,
): { readonly classes: ReadonlyMap<number, number>; readonly remark: string | undefined } {
  const sorted = categories.toSorted((a, b) => a.id - b.id)
  const repeated = sorted.find((category, index) => index > 0 && category.id === sorted[index - 1]!.id)
  if (repeated !== undefined) throw refuse(`two categories have the id ${repeated.id}`)
  const names = sorted.map(({ name }) => name)
  const { toModel, remark } = matchClasses(names, classNames)
  const classes = new Map<number, number>()
  for (const [index, classIndex] of toModel.entries())
    if (classIndex !== undefined) classes.set(sorted[index]!.id, classIndex)
  if (classes.size === 0) {
    throw refuse(
      `none of its ${classList(names)} is one of the model's ${classList(classNames)}; expected the same names`,
    )
  }
  return { classes, remark }
}
