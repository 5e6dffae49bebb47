/**
 * Pictures with labels in one annotation file of COCO's form.
 * Invariant: every picture is looked at before the first is used; one that is missing, cannot be read, has another size than
 * its labels were made for, or has a label that does not fit is left out by name.
 */

import { readFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { AgentError, messageOf } from '../../base/errors.js'
import type { ImageSize } from '../../camera/read-image.js'
import { type CocoImage, parseCocoInstances } from '../../evaluation/coco-instances.js'
import { checkPictures } from './check-pictures.js'
import { type DatasetImage, type ReadDataset, unusable } from './dataset.js'
import { isFolder } from './find-pictures.js'

/** Reads `file`; its pictures are in images/ beside it, or beside it. Throws `dataset.*`. */
export async function readCoco(
  file: string,
  classNames: readonly string[],
  whole: boolean,
): Promise<ReadDataset> {
  const text = await readFile(file, 'utf8').catch((thrown: unknown) => {
    throw unusable(file, messageOf(thrown))
  })
  const { images, leftOut, unknownCategories, remarks } = parseCocoInstances(text, file, classNames)
  const beside = dirname(resolve(file))
  const folder = (await isFolder(join(beside, 'images'))) ? join(beside, 'images') : beside
  const placed = images.map((image) => ({ ...image, path: join(folder, image.name) }))
  const looked = await checkPictures(placed, whole, imageOf)
  return {
    title: file,
    name: basename(beside),
    images: looked.read,
    unknownCategories,
    remarks,
    leftOut: [
      ...leftOut.map(({ name, problem }) => ({ path: join(folder, name), problem })),
      ...looked.leftOut,
    ],
  }
}

function imageOf(image: CocoImage & { readonly path: string }, { width, height }: ImageSize): DatasetImage {
  const { name, path, groundTruths } = image
  if (width !== image.width || height !== image.height) {
    throw new AgentError(
      'dataset.label_invalid',
      `${path} is ${width}x${height}, but its labels are for ${image.width}x${image.height}: expected the same size`,
    )
  }
  return { name, path, groundTruths }
}
