/**
 * Labelled pictures as commands use them, and what a person is told of them.
 * Invariant: each picture can be read and each label fits; what could not be used is in `leftOut`, by file and reason.
 */

import { AgentError } from '../../base/errors.js'
import type { LabelledImage } from '../../evaluation/evaluate.js'

/** A picture with what is in it. */
export interface DatasetImage extends LabelledImage {
  readonly path: string
}

/** A picture that was named or found, and cannot be used. */
export interface LeftOut {
  readonly path: string
  /** A sentence that names the file. */
  readonly problem: string
}

export interface Dataset {
  /** For reports: the last part of its path. */
  readonly name: string
  readonly images: readonly DatasetImage[]
  /** Categories of the labels that the model does not know; their objects do not count. */
  readonly unknownCategories: readonly string[]
  readonly leftOut: readonly LeftOut[]
}

/** How a data set is read. */
export interface DatasetReading {
  /** Hears once how much was read and what was left out, a sentence each. */
  readonly note: (text: string) => void
  /** A picture or label that cannot be used refuses the data set. */
  readonly strict?: boolean | undefined
  /** Each picture is decoded whole, as in strict reading; else its head and its end are looked at. For long work. */
  readonly whole?: boolean | undefined
}

/** What a data set is called in messages, and its content before it is told. */
export interface ReadDataset extends Dataset {
  /** Path, and split where it has some: `parts/data.yaml (val)`. */
  readonly title: string
  /** Sentences about the labels: another order of the classes, annotations of unlisted pictures. */
  readonly remarks: readonly string[]
}

/** So many left-out pictures are named one by one. */
const namedMost = 10

/**
 * Tells what was read. Throws `dataset.folder_unusable` when no picture can be used, or in strict reading when one cannot.
 */
export function tellDataset(read: ReadDataset, { note, strict }: DatasetReading): Dataset {
  const { title, remarks, name, images, unknownCategories, leftOut } = read
  const [first] = leftOut
  const all = images.length + leftOut.length
  if (first !== undefined && (images.length === 0 || strict === true)) {
    const share = images.length === 0 ? `none of its ${all} pictures` : `not each of its ${all} pictures`
    throw new AgentError(
      'dataset.folder_unusable',
      `cannot use the data set ${title}: ${share} can be used, ${leftOut.length} cannot, the first: ${first.problem}`,
      images.length === 0 ? {} : { hint: 'without --strict they are left out' },
    )
  }
  const without = leftOut.length === 0 ? '' : `; ${leftOut.length} left out`
  note(`${title}: ${contentText(images)}${without}`)
  for (const remark of remarks) note(`${title}: ${remark}`)
  if (unknownCategories.length > 0)
    note(`classes that the model does not know do not count: ${unknownCategories.join(', ')}`)
  tellLeftOut(leftOut, note)
  return { name, images, unknownCategories, leftOut }
}

/** Names what was left out, the first few one by one. */
export function tellLeftOut(leftOut: readonly LeftOut[], note: (text: string) => void): void {
  for (const { problem } of leftOut.slice(0, namedMost)) note(`left out: ${problem}`)
  if (leftOut.length > namedMost) note(`left out: ${leftOut.length - namedMost} more`)
}

/** `6 pictures, 38 objects of 12 classes, 1 picture without objects`. */
function contentText(images: readonly DatasetImage[]): string {
  const truths = images.flatMap(({ groundTruths }) => groundTruths)
  const classes = new Set(truths.map(({ classIndex }) => classIndex)).size
  const empty = images.filter(({ groundTruths }) => groundTruths.length === 0).length
  const objects = `${counted(truths.length, 'object')} of ${counted(classes, 'class', 'classes')}`
  const background = empty === 0 ? '' : `, ${counted(empty, 'picture')} without objects`
  return `${counted(images.length, 'picture')}, ${objects}${background}`
}

function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}

/** For `--json`: what was read of a data set, and what was not; `unreadable` was found later. */
export function wireDataset({ images, leftOut }: Dataset, unreadable: readonly LeftOut[] = []): object {
  const later = new Set(unreadable.map(({ path }) => path))
  const used = images.filter(({ path }) => !later.has(path))
  return {
    pictures: used.length,
    objects: used.reduce((sum, { groundTruths }) => sum + groundTruths.length, 0),
    left_out: [...leftOut, ...unreadable].map(({ path, problem }) => ({ file: path, problem })),
  }
}

/** `dataset.folder_unusable` with the data set's path. */
export function unusable(path: string, problem: string): AgentError {
  return new AgentError('dataset.folder_unusable', `cannot use the data set ${path}: ${problem}`)
}
