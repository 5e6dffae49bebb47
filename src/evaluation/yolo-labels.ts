/**
 * Label files of YOLO data sets: one text file per picture, one object per line.
 *
 *     class x y width height            center and size, as shares of the picture
 *     class x1 y1 x2 y2 x3 y3 ...       an outline; its bounding box counts
 *     class x y width height k1 k2 ...  a pose, where the data set says how many numbers; its box counts
 *
 * Boxes and outlines may stand in one file. What is accepted is what Ultralytics accepts (`verify_image_label`), mixed
 * files beside it.
 * Invariant: a line that does not fit is refused with its file and number, never skipped.
 */

import { AgentError } from '../base/errors.js'
import type { GroundTruth } from './ground-truth.js'

export interface LabelledPicture {
  /** The label file, as messages name it. */
  readonly file: string
  /** Size of the picture, pixels. */
  readonly width: number
  readonly height: number
}

export interface LabelForm {
  /** Classes of the data set; a label is below it. */
  readonly classCount: number
  /** Numbers behind the box of a pose; 0 where there are none. */
  readonly keypointFields?: number
}

/** Shares may pass the border by what rounding to a few digits does. */
const borderSlack = 0.01

const shareExpected = 'expected a share of the picture, 0..1'

/** A decimal number; what else JavaScript takes for one (`0x1f`, nothing at all) is a mistake in a label file. */
const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i

/**
 * Reads the objects of one picture. An empty text is a picture without objects; an object that is there twice, with the
 * same numbers however they are written, counts once. `classIndex` is that of the label file.
 * Throws `dataset.label_invalid`.
 */
export function parseYoloLabels(text: string, picture: LabelledPicture, form: LabelForm): GroundTruth[] {
  const truths: GroundTruth[] = []
  const seen = new Set<string>()
  for (const [index, raw] of text.split(/\r\n|\r|\n/).entries()) {
    // trim also takes the byte order mark that Windows editors put first.
    const line = raw.trim()
    if (line === '') continue
    const refuse = (problem: string): AgentError =>
      new AgentError(
        'dataset.label_invalid',
        `reading labels: ${picture.file}, line ${index + 1}: ${problem}`,
      )
    const fields = line.split(/\s+/)
    const numbers = fields.map((field) => (decimal.test(field) ? Number(field) : NaN))
    const key = numbers.map(Math.fround).join(' ')
    const truth = objectOf({ fields, numbers }, picture, form, refuse)
    if (!seen.has(key)) truths.push(truth)
    seen.add(key)
  }
  return truths
}

interface LabelLine {
  readonly fields: readonly string[]
  /** NaN where a field is no number. */
  readonly numbers: readonly number[]
}

function objectOf(
  { fields, numbers }: LabelLine,
  { width, height }: LabelledPicture,
  { classCount, keypointFields = 0 }: LabelForm,
  refuse: (problem: string) => AgentError,
): GroundTruth {
  const [classIndex = NaN, ...rest] = numbers
  const shares = keypointFields > 0 && rest.length === 4 + keypointFields ? rest.slice(0, 4) : rest
  const isOutline = shares.length >= 6 && shares.length % 2 === 0
  if (shares.length !== 4 && !isOutline) {
    throw refuse(`${fields.length} fields, expected class x y width height, or an outline`)
  }
  if (!Number.isInteger(classIndex) || classIndex < 0 || classIndex >= classCount) {
    throw refuse(`class ${JSON.stringify(fields[0])}, expected 0..${classCount - 1}`)
  }
  const wrong = shares.findIndex((share) => Number.isNaN(share))
  if (wrong >= 0) throw refuse(`${JSON.stringify(fields[wrong + 1])}, ${shareExpected}`)
  const corners = isOutline ? outlineCorners(shares) : centredCorners(shares)
  const beyond = isOutline ? beyondPicture(centreAndSize(corners)) : beyondPicture(shares)
  if (beyond >= 0) {
    const value = isOutline ? 'an outline beyond the picture' : JSON.stringify(fields[beyond + 1])
    throw refuse(`${value}, ${shareExpected}`)
  }
  const [left, top, right, bottom] = corners
  const box = {
    x1: within(left * width, width),
    y1: within(top * height, height),
    x2: within(right * width, width),
    y2: within(bottom * height, height),
  }
  return { classIndex, ...box, area: (box.x2 - box.x1) * (box.y2 - box.y1), crowd: false }
}

/** Which of the shares x, y, width and height lies beyond what a label may say, as its index; -1 where none does. A size is never negative. */
function beyondPicture(shares: readonly number[]): number {
  return shares.findIndex((share, index) => share > 1 + borderSlack || share < (index < 2 ? -borderSlack : 0))
}

/** The corners of a box as shares of the width and height of its picture, 0..1. */
type Corners = readonly [left: number, top: number, right: number, bottom: number]

function centredCorners(shares: readonly number[]): Corners {
  const [x = 0, y = 0, width = 0, height = 0] = shares
  return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
}

function centreAndSize([left, top, right, bottom]: Corners): readonly number[] {
  return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
}

/** The corners of the smallest box around an outline, `x, y, x, y, ...`. */
function outlineCorners(points: readonly number[]): Corners {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity]
  for (let at = 0; at < points.length; at += 2) {
    left = Math.min(left, points[at]!)
    right = Math.max(right, points[at]!)
    top = Math.min(top, points[at + 1]!)
    bottom = Math.max(bottom, points[at + 1]!)
  }
  return [left, top, right, bottom]
}

function within(value: number, limit: number): number {
  return Math.min(Math.max(value, 0), limit)
}
