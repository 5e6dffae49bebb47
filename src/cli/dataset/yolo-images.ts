/**
 * Pictures with labels in text files beside them.
 * Invariant: every picture is looked at before the first is used; one that cannot be read, or with a label that does not
 * fit, is left out by name.
 */

import { readFile } from 'node:fs/promises'
import { AgentError, messageOf, systemCodeOf } from '../../base/errors.js'
import { inParallel } from '../../base/in-parallel.js'
import type { ImageSize } from '../../camera/read-image.js'
import { type LabelForm, parseYoloLabels } from '../../evaluation/yolo-labels.js'
import { checkPictures, checksAtOnce } from './check-pictures.js'
import type { DatasetImage, LeftOut } from './dataset.js'
import type { PictureFile, PicturePlace } from './find-pictures.js'

export interface YoloForm extends LabelForm {
  /** Class of the labels -> class of the model; undefined for a class that the model does not have. */
  readonly toModel: readonly (number | undefined)[]
}

export interface YoloImages {
  readonly images: readonly DatasetImage[]
  readonly leftOut: readonly LeftOut[]
  /** How many pictures have a label file, empty ones included. */
  readonly labelFiles: number
}

/** Reads the labels of all pictures at `place`, and looks at each picture; `whole` decodes it whole. */
export async function readYoloImages(
  { pictures, leftOut }: PicturePlace,
  form: YoloForm,
  whole: boolean,
): Promise<YoloImages> {
  const labels = await labelsOf(pictures)
  const looked = await checkPictures(pictures, whole, ({ path }, size, index) =>
    imageOf(path, size, labels[index]!, form),
  )
  return {
    images: looked.read,
    leftOut: [...leftOut, ...looked.leftOut],
    labelFiles: labels.filter(({ text }) => text !== undefined).length,
  }
}

interface LabelFile {
  readonly file: string
  /** Undefined where there is no such file: a picture without objects. */
  readonly text: string | undefined
  /** Why the file cannot be read. */
  readonly problem?: AgentError
}

/** The labels of the first convention that finds a file for any picture. */
async function labelsOf(pictures: readonly PictureFile[]): Promise<readonly LabelFile[]> {
  const conventions = pictures[0]?.labels.length ?? 0
  let labels: readonly LabelFile[] = []
  for (let convention = 0; convention < conventions; convention++) {
    const files = pictures.map((picture) => picture.labels[convention]!)
    if (convention > 0 && files.every((file, index) => file === labels[index]!.file)) continue
    labels = await inParallel(files, checksAtOnce, readLabels)
    if (labels.some(({ text, problem }) => text !== undefined || problem !== undefined)) break
  }
  return labels
}

async function readLabels(file: string): Promise<LabelFile> {
  try {
    return { file, text: await readFile(file, 'utf8') }
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT' || systemCodeOf(thrown) === 'ENOTDIR')
      return { file, text: undefined }
    const message = `cannot read ${file}: ${messageOf(thrown)}`
    return {
      file,
      text: undefined,
      problem: new AgentError('dataset.label_invalid', message, { cause: thrown }),
    }
  }
}

function imageOf(
  path: string,
  size: ImageSize,
  { file, text, problem }: LabelFile,
  form: YoloForm,
): DatasetImage {
  if (problem !== undefined) throw problem
  const groundTruths = parseYoloLabels(text ?? '', { file, ...size }, form).flatMap((truth) => {
    const classIndex = form.toModel[truth.classIndex]
    return classIndex === undefined ? [] : [{ ...truth, classIndex }]
  })
  return { name: path, path, groundTruths }
}
