/**
 * The annotation file of COCO data sets (`instances.json`).
 * Invariant: what comes out is complete and consistent: every object lies in a listed picture and has a listed category.
 */

import * as v from 'valibot'
import { AgentError, messageOf } from '../base/errors.js'
import type { LabelledImage } from './evaluate.js'
import type { GroundTruth } from './ground-truth.js'
import { issueText } from './validation-issue.js'

const id = v.pipe(v.number(), v.safeInteger())
const side = v.pipe(v.number(), v.safeInteger(), v.minValue(1))
const length = v.pipe(v.number(), v.finite(), v.minValue(0))

const instances = v.object({
  images: v.array(v.object({ id, file_name: v.pipe(v.string(), v.minLength(1)), width: side, height: side })),
  categories: v.array(v.object({ id, name: v.pipe(v.string(), v.minLength(1)) })),
  annotations: v.array(
    v.object({
      image_id: id,
      category_id: id,
      bbox: v.tuple([v.pipe(v.number(), v.finite()), v.pipe(v.number(), v.finite()), length, length]),
      area: v.optional(length),
      iscrowd: v.optional(v.picklist([0, 1])),
    }),
  ),
})

type Instances = v.InferOutput<typeof instances>

/** A picture of the data set; `name` is its file name. */
export interface CocoImage extends LabelledImage {
  readonly width: number
  readonly height: number
}

export interface CocoDataset {
  /** In the order of the file. */
  readonly images: readonly CocoImage[]
  /** Names of categories that the model does not know; their objects are left out. */
  readonly unknownCategories: readonly string[]
}

/**
 * Reads an annotation file. A category is the model's class of the same name; where the model's names are not those of
 * the data set at all, the n-th category by rising id is class n, provided there are as many.
 * `file` is for messages. Throws `dataset.label_invalid`.
 */
export function parseCocoInstances(text: string, file: string, classNames: readonly string[]): CocoDataset {
  const refuse = (problem: string): AgentError =>
    new AgentError('dataset.label_invalid', `reading labels: ${file}: ${problem}`)
  const parsed = parse(text, refuse)
  const classes = classesOf(parsed.categories, classNames, refuse)
  const truths = new Map<number, GroundTruth[]>(parsed.images.map((image) => [image.id, []]))
  if (truths.size < parsed.images.length) throw refuse('two images have the same id')
  const unknown = new Set<string>()
  const names = new Map(parsed.categories.map((category) => [category.id, category.name]))
  for (const [index, annotation] of parsed.annotations.entries()) {
    const list = truths.get(annotation.image_id)
    const name = names.get(annotation.category_id)
    if (list === undefined)
      throw refuse(`annotations[${index}] is of image ${annotation.image_id}, which is not listed`)
    if (name === undefined) {
      throw refuse(`annotations[${index}] is of category ${annotation.category_id}, which is not listed`)
    }
    const classIndex = classes.get(annotation.category_id)
    if (classIndex === undefined) {
      unknown.add(name)
      continue
    }
    const [x, y, width, height] = annotation.bbox
    list.push({
      classIndex,
      x1: x,
      y1: y,
      x2: x + width,
      y2: y + height,
      area: annotation.area ?? width * height,
      crowd: annotation.iscrowd === 1,
    })
  }
  return {
    images: parsed.images.map((image) => ({
      name: image.file_name,
      width: image.width,
      height: image.height,
      groundTruths: truths.get(image.id)!,
    })),
    unknownCategories: [...unknown].sort(),
  }
}

function parse(text: string, refuse: (problem: string) => AgentError): Instances {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (thrown) {
    throw refuse(`no JSON: ${messageOf(thrown)}`)
  }
  const result = v.safeParse(instances, json, { abortEarly: true })
  if (result.success) return result.output
  throw refuse(issueText(result.issues[0]))
}

/** Category id -> class index. */
function classesOf(
  categories: Instances['categories'],
  classNames: readonly string[],
  refuse: (problem: string) => AgentError,
): Map<number, number> {
  const sorted = categories.toSorted((a, b) => a.id - b.id)
  const repeated = sorted.find((category, index) => index > 0 && category.id === sorted[index - 1]!.id)
  if (repeated !== undefined) throw refuse(`two categories have the id ${repeated.id}`)
  const byName = sorted.flatMap(({ id: category, name }): [number, number][] => {
    const classIndex = classNames.indexOf(name)
    return classIndex < 0 ? [] : [[category, classIndex]]
  })
  if (byName.length > 0) return new Map(byName)
  if (sorted.length === classNames.length)
    return new Map(sorted.map((category, index) => [category.id, index]))
  throw refuse(
    `none of its ${sorted.length} categories is one of the model's ${classNames.length} classes (${classNames[0] ?? ''}, ...)`,
  )
}
