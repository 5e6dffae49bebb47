/**
 * Label files of YOLO data sets: one text file per picture, one object per line.
 *
 *     class x y width height            centre and size, as shares of the picture
 *     class x1 y1 x2 y2 x3 y3 ...       an outline; its bounding box counts
 *
 * Invariant: a line that does not fit is refused with its file and number, never skipped.
 */

import { AgentError } from '../base/errors.js'
import type { GroundTruth } from './ground-truth.js'

export interface LabelledPicture {
  /** The label file, for messages. */
  readonly file: string
  /** Size of the picture, pixels. */
  readonly width: number
  readonly height: number
}

/** Shares may pass the border by what rounding to a few digits does. */
const borderSlack = 0.01

/**
 * Reads the objects of one picture. An empty text is a picture without objects; a repeated line counts once.
 * Throws `dataset.label_invalid`.
 */
export function parseYoloLabels(text: string, picture: LabelledPicture, classCount: number): GroundTruth[] {
  const truths: GroundTruth[] = []
  const seen = new Set<string>()
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim()
    if (line === '' || seen.has(line)) continue
    seen.add(line)
    const refuse = (problem: string): AgentError =>
      new AgentError(
        'dataset.label_invalid',
        `reading labels: ${picture.file}, line ${index + 1}: ${problem}`,
      )
    truths.push(parseLine(line.split(/\s+/), picture, classCount, refuse))
  }
  return truths
}

function parseLine(
  fields: readonly string[],
  { width, height }: LabelledPicture,
  classCount: number,
  refuse: (problem: string) => AgentError,
): GroundTruth {
  const [classIndex = NaN, ...shares] = fields.map(Number)
  const isOutline = shares.length >= 6 && shares.length % 2 === 0
  if (shares.length !== 4 && !isOutline) {
    throw refuse(`${fields.length} fields, expected class x y width height`)
  }
  if (!Number.isInteger(classIndex) || classIndex < 0 || classIndex >= classCount) {
    throw refuse(`class ${JSON.stringify(fields[0])}, expected 0..${classCount - 1}`)
  }
  const wrong = shares.findIndex((share) => !(share >= -borderSlack && share <= 1 + borderSlack))
  if (wrong >= 0) throw refuse(`${JSON.stringify(fields[wrong + 1])}, expected a share of the picture, 0..1`)
  const [left, top, right, bottom] = isOutline ? outlineCorners(shares) : centredCorners(shares)
  const box = {
    x1: within(left * width, width),
    y1: within(top * height, height),
    x2: within(right * width, width),
    y2: within(bottom * height, height),
  }
  return { classIndex, ...box, area: (box.x2 - box.x1) * (box.y2 - box.y1), crowd: false }
}

type Corners = readonly [left: number, top: number, right: number, bottom: number]

function centredCorners(shares: readonly number[]): Corners {
  const [x = 0, y = 0, width = 0, height = 0] = shares
  return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
}

function outlineCorners(shares: readonly number[]): Corners {
  const xs = shares.filter((_, index) => index % 2 === 0)
  const ys = shares.filter((_, index) => index % 2 === 1)
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)]
}

function within(value: number, limit: number): number {
  return Math.min(Math.max(value, 0), limit)
}
