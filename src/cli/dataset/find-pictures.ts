/**
 * Where a data set keeps its pictures, and where the labels of each may be.
 *
 * A place is a folder (with all folders below it), a list file (one picture a line), or a picture. The labels of
 * `.../images/.../a.jpg` are `.../labels/.../a.txt`, of the last folder called images, as Ultralytics has it.
 * Invariant: a place that is not there, and a listed picture that is not there, is named; nothing is passed over.
 */

import { readFile, realpath, stat } from 'node:fs/promises'
import { dirname, extname, join, resolve, sep } from 'node:path'
import { isAgentError, messageOf } from '../../base/errors.js'
import { inParallel } from '../../base/in-parallel.js'
import { isImagePath, listImages } from '../../camera/image-files.js'
import { type LeftOut, unusable } from './dataset.js'

/** A picture and the files that may hold its labels, best first. */
export interface PictureFile {
  readonly path: string
  readonly labels: readonly string[]
}

/** The pictures of one place; their labels follow one convention. */
export interface PicturePlace {
  readonly pictures: readonly PictureFile[]
  readonly leftOut: readonly LeftOut[]
}

/** Files that are looked at in the same moment. */
const looksAtOnce = 8

export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true
}

export async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

/**
 * Where a `train:` or `val:` of a data.yaml leads. Joined to `path:`, which is joined to the folder of the file; where
 * that is not there, below the working folder, and below the file's own folder, which a data set that was moved needs.
 * A leading `../` counts only where the place is there with it: exports of Roboflow have one too many.
 * Throws `dataset.folder_unusable` with every place that was looked at.
 */
export async function locatePlace(yaml: string, path: string, entry: string): Promise<string> {
  const beside = dirname(resolve(yaml))
  const roots = new Set(path === '' ? [beside] : [resolve(beside, path), resolve(path), beside])
  const entries = [entry, entry.replaceAll('\\', '/')].flatMap((each) =>
    each.startsWith('../') ? [each, each.slice('../'.length)] : [each],
  )
  const places = new Set([...roots].flatMap((root) => entries.map((each) => resolve(root, each))))
  for (const place of places) if (await isThere(place)) return place
  throw unusable(yaml, `its pictures ${entry} are not there; looked for ${[...places].join(', ')}`)
}

/** The pictures at `place`; `root` is where a list file's lines may start too. Throws `dataset.folder_unusable`. */
export async function picturesAt(place: string, root: string): Promise<PicturePlace> {
  if (await isFolder(place)) return { pictures: await picturesBelow(place), leftOut: [] }
  if (isImagePath(place)) return { pictures: [pictureFile(place)], leftOut: [] }
  return listedPictures(place, root)
}

async function picturesBelow(folder: string): Promise<readonly PictureFile[]> {
  const paths = await listImages(folder).catch((thrown: unknown) => {
    throw isAgentError(thrown, 'camera.source_invalid') ? unusable(folder, thrown.message) : thrown
  })
  // Ultralytics resolves links of the folder itself before it looks for labels.
  const real = await realpath(folder)
  return paths.map((path) => pictureFile(path, join(real, path.slice(folder.length))))
}

function pictureFile(path: string, real = path): PictureFile {
  const rule = labelPathOf(resolve(real))
  return { path, labels: [rule, labelPathOf(resolve(path)), withText(path)] }
}

/** `/a/images/b/c.jpg` -> `/a/labels/b/c.txt`; beside the picture where no folder is called images. */
function labelPathOf(picture: string): string {
  const cut = picture.lastIndexOf(`${sep}images${sep}`)
  if (cut < 0) return withText(picture)
  return withText(`${picture.slice(0, cut)}${sep}labels${picture.slice(cut + `${sep}images`.length)}`)
}

function withText(path: string): string {
  return `${path.slice(0, path.length - extname(path).length)}.txt`
}

/** A line starts at the list's own folder, at `root` or at the working folder; CVAT writes `data/` before each. */
async function listedPictures(file: string, root: string): Promise<PicturePlace> {
  const text = await readFile(file, 'utf8').catch((thrown: unknown) => {
    throw unusable(file, messageOf(thrown))
  })
  const lines = text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
  if (!lines.some(isImagePath))
    throw unusable(file, `none of its ${lines.length} lines is the path of a picture`)
  const folders = new Set([dirname(file), root, process.cwd()])
  const found = await inParallel(lines, looksAtOnce, async (line): Promise<PictureFile | LeftOut> => {
    const problem = (text: string): LeftOut => ({ path: line, problem: `${line} of ${file}: ${text}` })
    if (!isImagePath(line)) return problem('not the path of a picture')
    const forms = [line, line.replaceAll('\\', '/')].flatMap((form) => [form, form.replace(/^data\//, '')])
    for (const folder of folders) {
      for (const form of new Set(forms)) {
        const path = resolve(folder, form)
        if (await isThere(path)) return pictureFile(path)
      }
    }
    return problem('there is no such file, seen from the list, the data set or the working folder')
  })
  const isPicture = (each: PictureFile | LeftOut): each is PictureFile => 'labels' in each
  return {
    pictures: found.filter(isPicture),
    leftOut: found.flatMap((each) => (isPicture(each) ? [] : [each])),
  }
}
