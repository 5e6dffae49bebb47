/** Pictures with detections, as files. Invariant: the file is complete or absent. */

import { extname } from 'node:path'
import { writeFileAtomic } from '../base/atomic-file.js'
import { AgentError } from '../base/errors.js'
import type { Detection } from '../yolo/detection.js'
import type { RgbPicture } from '../yolo/resize.js'
import { drawDetections } from './draw-detections.js'

const jpegQuality = 92

/**
 * Draws the detections onto `picture` (borrowed) and writes it; the ending of `path` chooses the format: .jpg, .jpeg or .png.
 * Throws `cli.argument_invalid` for another ending, `resource.*` when the file cannot be written.
 */
export async function savePicture(
  path: string,
  picture: RgbPicture,
  detections: readonly Detection[],
  classNames: readonly string[],
): Promise<void> {
  const ending = extname(path).toLowerCase()
  if (ending !== '.png' && ending !== '.jpg' && ending !== '.jpeg') {
    throw new AgentError(
      'cli.argument_invalid',
      `cannot save a picture as ${path}: expected a name that ends in .jpg, .jpeg or .png`,
    )
  }
  const image = drawDetections(picture, detections, classNames)
  const encoded = ending === '.png' ? image.png() : image.jpeg({ quality: jpegQuality })
  await writeFileAtomic(path, await encoded.toBuffer())
}
