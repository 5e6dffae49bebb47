/**
 * Detections drawn onto a picture: a box and a label each.
 * Invariant: the drawing lies within the picture, and a class has the same color everywhere.
 */

import sharp from 'sharp'
import type { Sharp } from 'sharp'
import { escaped } from '../base/markup.js'
import { classColor, type Color, cssColor } from '../yolo/class-color.js'
import type { Detection } from '../yolo/detection.js'
import type { RgbPicture } from '../yolo/resize.js'

/** Black or white, whichever is read better on the color (luma of ITU-R BT.601). */
function inkOn({ red, green, blue }: Color): string {
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? '#000' : '#fff'
}

/** `text` for SVG: XML has no way to write most control characters. */
function svgText(text: string): string {
  return escaped(text.replaceAll(/[\u0000-\u001f]/g, ' '))
}

/** Advance of a monospaced letter, of its size. */
const letterWidth = 0.602

/** SVG of one detection: the box, and the label that goes above all boxes. */
function markOf(
  detection: Detection,
  label: string,
  size: { readonly width: number; readonly height: number },
): { box: string; tag: string } {
  const stroke = Math.max(2, Math.round(Math.min(size.width, size.height) / 300))
  const letter = Math.max(11, Math.round(Math.min(size.width, size.height) / 40))
  const color = classColor(detection.classIndex)
  const width = detection.x2 - detection.x1
  const height = detection.y2 - detection.y1
  const tagWidth = Math.ceil(label.length * letter * letterWidth + letter * 0.6)
  const tagHeight = Math.ceil(letter * 1.3)
  const tagX = Math.max(0, Math.min(detection.x1, size.width - tagWidth))
  const tagY = detection.y1 >= tagHeight ? detection.y1 - tagHeight : detection.y1
  const number = (value: number): string => value.toFixed(1)
  const box =
    `<rect x="${number(detection.x1)}" y="${number(detection.y1)}" width="${number(width)}" height="${number(height)}" ` +
    `fill="none" stroke="${cssColor(color)}" stroke-width="${stroke}"/>`
  const tag =
    `<rect x="${number(tagX)}" y="${number(tagY)}" width="${tagWidth}" height="${tagHeight}" fill="${cssColor(color)}"/>` +
    `<text x="${number(tagX + letter * 0.3)}" y="${number(tagY + letter)}" font-family="DejaVu Sans Mono, monospace" ` +
    `font-size="${letter}" fill="${inkOn(color)}">${svgText(label)}</text>`
  return { box, tag }
}

/** The drawing as SVG of the given size, pixels. Labels lie above all boxes, the best on top. */
export function detectionsSvg(
  size: { readonly width: number; readonly height: number },
  detections: readonly Detection[],
  classNames: readonly string[],
): string {
  const marks = [...detections]
    .sort((a, b) => a.score - b.score)
    .map((detection) => {
      const name = classNames[detection.classIndex] ?? `class ${detection.classIndex}`
      return markOf(detection, `${name} ${detection.score.toFixed(2)}`, size)
    })
  const drawing = marks.map(({ box }) => box).join('') + marks.map(({ tag }) => tag).join('')
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}">${drawing}</svg>`
}

/** Borrows `picture`; returns an image with the detections drawn, to be encoded by the caller. */
export function drawDetections(
  picture: RgbPicture,
  detections: readonly Detection[],
  classNames: readonly string[],
): Sharp {
  const image = sharp(picture.data, { raw: { width: picture.width, height: picture.height, channels: 3 } })
  if (detections.length === 0) return image
  return image
    .composite([{ input: Buffer.from(detectionsSvg(picture, detections, classNames)) }])
    .removeAlpha()
    .removeAlpha()
}

/** `jpeg` with one box, given as shares of the picture, and its label drawn into it; encoded anew. */
export async function drawnBox(
  jpeg: Uint8Array,
  [left, top, right, bottom]: readonly [number, number, number, number],
  label: string,
): Promise<Uint8Array> {
  const image = sharp(jpeg)
  const { width, height } = await image.metadata()
  const box = { x1: left * width, y1: top * height, x2: right * width, y2: bottom * height }
  const { box: frame, tag } = markOf({ ...box, classIndex: 0, score: 1 }, label, { width, height })
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${frame}${tag}</svg>`
  return image
    .composite([{ input: Buffer.from(svg) }])
    .jpeg({ quality: 80 })
    .toBuffer()
}
