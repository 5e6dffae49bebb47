/**
 * Labelled pictures from a folder or a file.
 *
 *     DIR/instances.json + DIR/images/     COCO; wins where both kinds of labels are there, because it marks crowds
 *     DIR/images/*.jpg + DIR/labels/*.txt  YOLO
 *     DIR/*.jpg + DIR/*.txt                YOLO, all in one folder
 *     DIR/data.yaml                        Ultralytics, as FILE.yaml; wins over pictures beside it
 *     FILE.json                            COCO; pictures in images/ beside it, or beside it
 *     FILE.yaml                            Ultralytics; its val folder
 *
 * Invariant: every picture is there and every label fits, or the data set is refused with file and line.
 */

import { readFile, stat } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { AgentError, isAgentError, messageOf, systemCodeOf } from '../../base/errors.js'
import { listImages } from '../../camera/image-files.js'
import { readImageSize } from '../../camera/read-image.js'
import { parseCocoInstances } from '../../evaluation/coco-instances.js'
import { parseDataYaml } from '../../evaluation/data-yaml.js'
import type { LabelledImage } from '../../evaluation/evaluate.js'
import { parseYoloLabels } from '../../evaluation/yolo-labels.js'

/** A picture with what is in it. */
export interface DatasetImage extends LabelledImage {
  readonly path: string
}

export interface Dataset {
  /** For reports: the last part of its path. */
  readonly name: string
  readonly images: readonly DatasetImage[]
  /** Categories of the labels that the model does not know; their objects do not count. */
  readonly unknownCategories: readonly string[]
}

/** Opens the data set at `path` for a model with `classNames`. Throws `dataset.*`. */
export async function openDataset(path: string, classNames: readonly string[]): Promise<Dataset> {
  const found = await stat(path).catch((thrown: unknown) => {
    throw unusable(
      path,
      systemCodeOf(thrown) === 'ENOENT' ? 'there is no such folder or file' : messageOf(thrown),
    )
  })
  if (found.isDirectory()) return openFolder(path, classNames)
  const extension = extname(path).toLowerCase()
  if (extension === '.json') return openCoco(path, classNames)
  if (extension === '.yaml' || extension === '.yml') return openYaml(path, classNames)
  throw unusable(path, 'expected a folder, instances.json or data.yaml')
}

function unusable(path: string, problem: string): AgentError {
  return new AgentError('dataset.folder_unusable', `cannot use the data set ${path}: ${problem}`)
}

async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found?.isDirectory() === true
}

async function openFolder(folder: string, classNames: readonly string[]): Promise<Dataset> {
  const coco = join(folder, 'instances.json')
  if ((await stat(coco).catch(() => undefined)) !== undefined) return openCoco(coco, classNames)
  const yaml = join(folder, 'data.yaml')
  if ((await stat(yaml).catch(() => undefined)) !== undefined) return openYaml(yaml, classNames)
  const hasImages = await isFolder(join(folder, 'images'))
  const images = hasImages ? join(folder, 'images') : folder
  const labels = hasImages ? join(folder, 'labels') : folder
  return openYolo({ name: basename(folder), images, labels }, classNames)
}

/** A data set to learn from. */
export interface TrainingDataset {
  readonly classNames: readonly string[]
  readonly train: Dataset
  readonly val: Dataset
}

/** Opens both splits of a data.yaml, or of the one in a folder. Throws `dataset.*`. */
export async function openTrainingDataset(path: string): Promise<TrainingDataset> {
  const file = (await isFolder(path)) ? join(path, 'data.yaml') : path
  const { classNames } = parseDataYaml(await readText(file), file)
  return {
    classNames,
    train: await openYaml(file, classNames, 'train'),
    val: await openYaml(file, classNames, 'val'),
  }
}

/** Pictures that a model with known classes goes on learning from, and those to measure it with, where there are any. */
export interface LearningDataset {
  readonly train: Dataset
  readonly val: Dataset | undefined
}

/**
 * Opens `path` for a model with `classNames`: a data.yaml (or the folder that has one) with its splits, or any labelled folder as a whole.
 * Where `labels` do not count, a folder of pictures will do. Throws `dataset.*`.
 */
export async function openLearningDataset(
  path: string,
  classNames: readonly string[],
  labels: boolean,
): Promise<LearningDataset> {
  const inside = join(path, 'data.yaml')
  const hasYaml = (await stat(inside).catch(() => undefined)) !== undefined
  if (hasYaml || /\.ya?ml$/.test(path)) {
    const found = await openTrainingDataset(path)
    if (found.classNames.join('\n') !== classNames.join('\n')) {
      const named = (names: readonly string[]): string =>
        `${names.length} (${names.slice(0, 3).join(', ')}, ...)`
      throw unusable(
        path,
        `its classes are ${named(found.classNames)}, those of the model ${named(classNames)}`,
      )
    }
    return found
  }
  if (labels) return { train: await openDataset(path, classNames), val: undefined }
  const paths = await listImages(path).catch((thrown: unknown) => {
    throw isAgentError(thrown, 'camera.source_invalid') ? unusable(path, thrown.message) : thrown
  })
  const images = paths.map((each) => ({ name: basename(each), path: each, groundTruths: [] }))
  return { train: { name: basename(path), images, unknownCategories: [] }, val: undefined }
}

async function openYaml(
  path: string,
  classNames: readonly string[],
  split: 'train' | 'val' = 'val',
): Promise<Dataset> {
  const description = parseDataYaml(await readText(path), path)
  const [folder] = description[split]
  if (folder === undefined) throw unusable(path, `it names no ${split} folder`)
  if (description.classNames.length !== classNames.length) {
    throw unusable(
      path,
      `it has ${description.classNames.length} classes, the model has ${classNames.length}`,
    )
  }
  const images = join(dirname(path), description.path, folder)
  // Ultralytics keeps labels beside images/, in a folder of the same name below labels/.
  const labels = images.replace(/(^|\/)images(?=\/|$)(?!.*\/images(?=\/|$))/, '$1labels')
  return openYolo({ name: basename(path, extname(path)), images, labels }, classNames)
}

async function openCoco(path: string, classNames: readonly string[]): Promise<Dataset> {
  const { images, unknownCategories } = parseCocoInstances(await readText(path), path, classNames)
  const beside = dirname(path)
  const folder = (await isFolder(join(beside, 'images'))) ? join(beside, 'images') : beside
  const found = images.map((image) => ({ ...image, path: join(folder, image.name) }))
  for (const image of found) {
    if ((await stat(image.path).catch(() => undefined)) === undefined)
      throw unusable(path, `picture ${image.name} is not in ${folder}`)
  }
  return { name: basename(beside), images: found, unknownCategories }
}

interface YoloFolders {
  readonly name: string
  readonly images: string
  readonly labels: string
}

async function openYolo(
  { name, images: folder, labels }: YoloFolders,
  classNames: readonly string[],
): Promise<Dataset> {
  const paths = await listImages(folder).catch((thrown: unknown) => {
    throw isAgentError(thrown, 'camera.source_invalid') ? unusable(folder, thrown.message) : thrown
  })
  const images: DatasetImage[] = []
  let labelFiles = 0
  for (const path of paths) {
    const file = join(labels, `${basename(path, extname(path))}.txt`)
    const text = await readLabels(file)
    if (text !== undefined) labelFiles++
    const size = await readImageSize(path)
    const groundTruths = parseYoloLabels(text ?? '', { file, ...size }, classNames.length)
    images.push({ name: basename(path), path, groundTruths })
  }
  if (labelFiles === 0)
    throw unusable(folder, `none of its ${paths.length} pictures has a label file in ${labels}`)
  return { name, images, unknownCategories: [] }
}

/** A picture without a label file has nothing in it. */
async function readLabels(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT') return undefined
    throw new AgentError('dataset.label_invalid', `cannot read ${file}: ${messageOf(thrown)}`, {
      cause: thrown,
    })
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (thrown) {
    throw unusable(path, messageOf(thrown))
  }
}
