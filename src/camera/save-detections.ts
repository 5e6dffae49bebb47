/**
 * Pictures with their detections drawn in, for people.
 * Invariant: the target is complete or untouched; the drawing has the picture's own size.
 */

import { extname } from 'node:path'
import sharp from 'sharp'
import type { Sharp } from 'sharp'
import { writeFileAtomic } from '../base/atomic-file.js'
import { AgentError } from '../base/errors.js'
import type { Detection } from '../yolo/detection.js'
import { readRgb } from './read-image.js'

/** How a picture is written, by the ending of its name. */
const encoders = {
  '.jpg': (image: Sharp) => image.jpeg({ quality: 90 }),
  '.jpeg': (image: Sharp) => image.jpeg({ quality: 90 }),
  '.png': (image: Sharp) => image.png(),
  '.webp': (image: Sharp) => image.webp({ quality: 90 }),
} as const

/**
 * Draws `detections` onto the picture at `sourcePath` and writes it to `targetPath`, as JPEG, PNG or WebP by its ending.
 * Throws `image.decode_failed`, `cli.argument_invalid` for another ending, `resource.*` when it cannot be written.
 */
export async function saveDetections(
  sourcePath: string,
  targetPath: string,
  detections: readonly Detection[],
  classNames: readonly string[],
): Promise<void> {
  const ending = extname(targetPath).toLowerCase()
  if (!Object.hasOwn(encoders, ending)) {
    const expected = Object.keys(encoders).join(', ')
    throw new AgentError(
      'cli.argument_invalid',
      `cannot write ${targetPath}: expected a name ending in ${expected}`,
    )
  }
  const { data, width, height } = await readRgb(sourcePath)
  const drawing = drawingOf(detections, classNames, width, height)
  const image = sharp(data, { raw: { width, height, channels: 3 } }).composite([
    { input: Buffer.from(drawing) },
  ])
  await writeFileAtomic(targetPath, await encoders[ending as keyof typeof encoders](image).toBuffer())
}

/** The boxes and labels as SVG of the picture's size. */
export function drawingOf(
  detections: readonly Detection[],
  classNames: readonly string[],
  width: number,
  height: number,
): string {
  const stroke = Math.max(2, Math.round(Math.min(width, height) / 250))
  const fontSize = stroke * 6
  const shapes = detections.map((detection) => boxShape(detection, classNames, stroke, fontSize))
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${shapes.join('')}</svg>`
}

function boxShape(
  detection: Detection,
  classNames: readonly string[],
  stroke: number,
  fontSize: number,
): string {
  const { x1, y1, x2, y2, classIndex, score } = detection
  const colour = colourOf(classIndex)
  const label = escapeXml(`${classNames[classIndex] ?? `class ${classIndex}`} ${score.toFixed(2)}`)
  const labelWidth = Math.round(label.length * fontSize * 0.6) + stroke * 2
  const labelHeight = fontSize + stroke * 2
  // Inside the box where there is no room above it.
  const labelTop = y1 >= labelHeight ? y1 - labelHeight : y1
  return [
    `<rect x="${x1}" y="${y1}" width="${x2 - x1}" height="${y2 - y1}" fill="none" stroke="${colour}" stroke-width="${stroke}"/>`,
    `<rect x="${x1}" y="${labelTop}" width="${labelWidth}" height="${labelHeight}" fill="${colour}"/>`,
    `<text x="${x1 + stroke}" y="${labelTop + fontSize}" font-family="sans-serif" font-size="${fontSize}" fill="#000">${label}</text>`,
  ].join('')
}

/** Well apart for neighbouring classes: the golden angle around the colour circle. */
function colourOf(classIndex: number): string {
  return `hsl(${Math.round((classIndex * 137.508) % 360)}, 85%, 60%)`
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
