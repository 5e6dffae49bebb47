/**
 * Labelled pictures from a folder or a file. Every command reads them here.
 *
 *     FILE.yaml        Ultralytics: splits as folders, lists of folders, list files; names decide the classes
 *     DIR with a .yaml the same; data.yaml or dataset.yaml where there are several
 *     FILE.json        COCO; pictures in images/ beside it, or beside it
 *     DIR              with instances.json: COCO, which wins because it marks crowds; else YOLO: labels in labels/ or beside
 *                      the pictures, classes in the model's order or in that of classes.txt
 *
 * Invariant: all of a data set is read; what cannot be used is told before anything is computed (see dataset.ts).
 */

import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, relative, resolve } from 'node:path'
import { AgentError, messageOf, systemCodeOf } from '../../base/errors.js'
import { type DataYaml, isDataYaml, parseDataYaml } from '../../evaluation/data-yaml.js'
import { classList, matchClasses } from '../../evaluation/match-classes.js'
import { inParallel } from '../../base/in-parallel.js'
import { checkPictures } from './check-pictures.js'
import { readClassList } from './class-list-file.js'
import { readCoco } from './coco-images.js'
import {
  type Dataset,
  type DatasetImage,
  type DatasetReading,
  type LeftOut,
  type ReadDataset,
  tellDataset,
  tellLeftOut,
  unusable,
} from './dataset.js'
import { isFolder, isThere, locatePlace, picturesAt, type PicturePlace } from './find-pictures.js'
import { readYoloImages, type YoloForm } from './yolo-images.js'

/** Opens the data set at `path` for a model with `classNames`; of a data.yaml its val split. Throws `dataset.*`. */
export async function openDataset(
  path: string,
  classNames: readonly string[],
  reading: DatasetReading,
): Promise<Dataset> {
  const whole = isWhole(reading)
  const coco = join(path, 'instances.json')
  if (await isThere(coco)) return tellDataset(await readCoco(coco, classNames, whole), reading)
  const yaml = await descriptionOf(path)
  if (yaml !== undefined) return openSplit(yaml, 'val', classNames, reading)
  if (await isFolder(path)) return tellDataset(await readFolder(path, classNames, whole), reading)
  if (extname(path).toLowerCase() === '.json')
    return tellDataset(await readCoco(path, classNames, whole), reading)
  throw unusable(path, 'expected a folder, instances.json or data.yaml')
}

function isWhole({ strict, whole }: DatasetReading): boolean {
  return strict === true || whole === true
}

/** A data set to learn from. */
export interface TrainingDataset {
  readonly classNames: readonly string[]
  readonly train: Dataset
  readonly val: Dataset
}

/** Opens both splits of a data.yaml, or of the one in a folder. Throws `dataset.*`. */
export async function openTrainingDataset(path: string, reading: DatasetReading): Promise<TrainingDataset> {
  const yaml = await descriptionOf(path)
  if (yaml === undefined) throw unusable(path, 'expected a data.yaml, or a folder that has one')
  const { classNames } = yaml.content
  return {
    classNames,
    train: await openSplit(yaml, 'train', classNames, reading),
    val: await openSplit(yaml, 'val', classNames, reading),
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
  reading: DatasetReading,
): Promise<LearningDataset> {
  const yaml = await descriptionOf(path)
  if (yaml !== undefined) {
    const hasVal = yaml.content.val.length > 0
    return {
      train: await openSplit(yaml, 'train', classNames, reading),
      val: hasVal ? await openSplit(yaml, 'val', classNames, reading) : undefined,
    }
  }
  if (labels) return { train: await openDataset(path, classNames, reading), val: undefined }
  const { paths, leftOut } = await openPictures(path, reading)
  const images = paths.map((each) => ({ name: basename(each), path: each, groundTruths: [] }))
  return { train: { name: basename(path), images, unknownCategories: [], leftOut }, val: undefined }
}

/** Pictures without their labels. */
export interface Pictures {
  /** At least one. */
  readonly paths: readonly string[]
  readonly leftOut: readonly LeftOut[]
}

/**
 * The pictures at `path`, labelled or not: a folder with all below it, a list file, one picture, or a data.yaml, whose
 * train split counts, else its val split. `most` of them are chosen evenly and looked at.
 * Throws `dataset.folder_unusable`.
 */
export async function openPictures(
  path: string,
  reading: DatasetReading,
  most = Infinity,
): Promise<Pictures> {
  const { note, strict } = reading
  const yaml = await descriptionOf(path)
  const split = yaml !== undefined && yaml.content.train.length > 0 ? 'train' : 'val'
  const places = yaml === undefined ? [await picturesAt(path, path)] : await placesOf(yaml, split)
  const found = places.flatMap(({ pictures }) => pictures)
  const count = Math.min(most, found.length)
  const chosen = Array.from(
    { length: count },
    (_, index) => found[Math.floor((index * found.length) / count)]!,
  )
  const looked = await checkPictures(chosen, isWhole(reading), ({ path: picture }) => picture)
  const paths = looked.read
  const leftOut = [...places.flatMap((place) => place.leftOut), ...looked.leftOut]
  const [first] = leftOut
  if (first !== undefined && (strict === true || paths.length === 0))
    throw unusable(path, `${leftOut.length} pictures cannot be used, the first: ${first.problem}`)
  const part =
    count < found.length ? `${count} of ${found.length} pictures, evenly chosen` : `${count} pictures`
  note(`${path}: ${part}${leftOut.length === 0 ? '' : `; ${leftOut.length} left out`}`)
  tellLeftOut(leftOut, note)
  return { paths, leftOut }
}

interface Description {
  readonly file: string
  readonly content: DataYaml
}

/** The data.yaml at `path` or in the folder there. Throws `dataset.*` where nothing is there, or one of several is meant. */
async function descriptionOf(path: string): Promise<Description | undefined> {
  const found = await stat(path).catch((thrown: unknown) => {
    const missing = systemCodeOf(thrown) === 'ENOENT'
    throw unusable(path, missing ? 'there is no such folder or file' : messageOf(thrown))
  })
  const file = found.isDirectory() ? await descriptionIn(path) : path
  if (file === undefined || !isYaml(file)) return undefined
  const text = await readFile(file, 'utf8').catch((thrown: unknown) => {
    throw unusable(file, messageOf(thrown))
  })
  return { file, content: parseDataYaml(text, file) }
}

function isYaml(path: string): boolean {
  return /\.ya?ml$/i.test(path)
}

/** Of several descriptions in a folder these names win, the last before the others; FiftyOne writes dataset.yaml. */
const usualNames = ['dataset.yml', 'dataset.yaml', 'data.yml', 'data.yaml']

/** The description in `folder`; where it has none itself, that in one of the folders in it. */
async function descriptionIn(folder: string): Promise<string | undefined> {
  const own = await describedFiles(folder)
  const entries = own.length > 0 ? [] : await readdir(folder, { withFileTypes: true })
  const below = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
  const found = [
    ...own,
    ...(await inParallel(below, 4, ({ name }) => describedFiles(join(folder, name)))).flat(),
  ]
  const usual = found.filter((file) => usualNames.includes(basename(file)))
  const chosen = usual.length > 0 && own.length > 0 ? usual.slice(0, 1) : found
  if (chosen.length > 1) {
    const names = chosen.map((file) => relative(folder, file)).join(', ')
    throw unusable(folder, `it has several descriptions (${names}): expected the path of one of them`)
  }
  return chosen[0]
}

/** The files of a folder that read as a data.yaml; one of a usual name is taken for one, so that its faults are told. */
async function describedFiles(folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder)).filter((name) => isYaml(name) && !name.startsWith('.'))
  const files = names
    .sort((a, b) => usualNames.indexOf(b) - usualNames.indexOf(a))
    .map((name) => join(folder, name))
  const described = await inParallel(files, 4, async (file) => {
    return usualNames.includes(basename(file)) || isDataYaml(await readFile(file, 'utf8').catch(() => ''))
  })
  return files.filter((_, index) => described[index] === true)
}

type Split = 'train' | 'val'

async function placesOf({ file, content }: Description, split: Split): Promise<readonly PicturePlace[]> {
  if (content[split].length === 0) throw unusable(file, `it names no ${split} pictures`)
  const root = resolve(dirname(file), content.path)
  const places: PicturePlace[] = []
  for (const entry of content[split])
    places.push(await picturesAt(await locatePlace(file, content.path, entry), root))
  return places
}

async function openSplit(
  yaml: Description,
  split: Split,
  classNames: readonly string[],
  reading: DatasetReading,
): Promise<Dataset> {
  const { file, content } = yaml
  const name = basename(file, extname(file))
  const labels = { names: content.classNames, file, keypointFields: content.keypointFields }
  const read = await readPlaces(await placesOf(yaml, split), labels, classNames, isWhole(reading))
  return tellDataset({ title: `${file} (${split})`, name, unknownCategories: [], ...read }, reading)
}

async function readFolder(
  folder: string,
  classNames: readonly string[],
  whole: boolean,
): Promise<ReadDataset> {
  const inside = join(folder, 'images')
  const place = await picturesAt((await isFolder(inside)) ? inside : folder, folder)
  const labels = (await readClassList(folder)) ?? { names: classNames, file: folder }
  const read = await readPlaces([place], labels, classNames, whole)
  return { title: folder, name: basename(resolve(folder)), unknownCategories: [], ...read }
}

interface LabelSource {
  /** In the order of the class numbers. */
  readonly names: readonly string[]
  /** Where the names are from, for messages. */
  readonly file: string
  readonly keypointFields?: number
}

async function readPlaces(
  places: readonly PicturePlace[],
  { names, file, keypointFields = 0 }: LabelSource,
  classNames: readonly string[],
  whole: boolean,
): Promise<Pick<ReadDataset, 'images' | 'leftOut' | 'remarks'>> {
  const { toModel, unknown, remark } = matchClasses(names, classNames)
  if (unknown.length > 0) {
    throw new AgentError(
      'dataset.folder_unusable',
      `cannot use the data set ${file}: the model has no ${classList(unknown)}; the data set has ${classList(names)}, the model ${classList(classNames)}`,
      { hint: 'give the classes of the data set the names that `yolo-edge inspect` shows for the model' },
    )
  }
  const form: YoloForm = { classCount: names.length, keypointFields, toModel }
  const read = []
  for (const place of places) read.push(await readYoloImages(place, form, whole))
  const images = read.flatMap((each) => each.images)
  const leftOut = read.flatMap((each) => each.leftOut)
  if (images.length > 0 && read.every(({ labelFiles }) => labelFiles === 0)) {
    const looked = [...new Set(places[0]!.pictures[0]!.labels.map((label) => dirname(label)))]
    throw unusable(file, `none of its ${images.length} pictures has a label file in ${looked.join(' or ')}`)
  }
  const unique = [...new Map(images.map((image) => [image.path, image])).values()]
  const repeated = images.length - unique.length
  const twice = repeated === 0 ? [] : [`${repeated} pictures are named more than once and count once`]
  return { images: named(unique), leftOut, remarks: [...(remark === undefined ? [] : [remark]), ...twice] }
}

/** Each picture under its file name, or under its path from the folder of all where a name is there twice. */
function named(images: readonly DatasetImage[]): readonly DatasetImage[] {
  const names = new Set(images.map(({ path }) => basename(path)))
  if (names.size === images.length) return images.map((image) => ({ ...image, name: basename(image.path) }))
  const folder = images.map(({ path }) => dirname(path)).reduce(commonFolder)
  return images.map((image) => ({ ...image, name: relative(folder, image.path) }))
}

function commonFolder(one: string, other: string): string {
  let folder = one
  while (relative(folder, other).startsWith('..')) folder = dirname(folder)
  return folder
}
