/**
 * What the four numbers of a box mean in a file that does not say so: told by where the anchors lie.
 * Invariant: centre and size in input pixels, as Ultralytics exports, unless the numbers show something else.
 *
 *      in shares     over all cells of a row the first number grows by about 1, in pixels by the width of the picture
 *      corners       the third number grows with the place of the anchor as the first does; a width does not
 */

import { AgentError } from '../base/errors.js'
import type { FloatScores } from './score-plane.js'

export interface BoxCoding {
  /** x1, y1, x2, y2 instead of centre x, centre y, width, height. */
  readonly corners: boolean
  /** Shares of the input's width and height instead of pixels. */
  readonly inShares: boolean
}

/** Boxes of one picture: number `k` of anchor `a` lies at `values[k * numberStep + a * anchorStep]`. */
export interface BoxTable {
  readonly values: Float32Array
  readonly numberStep: number
  readonly anchorStep: number
  readonly anchors: number
}

/**
 * What the numbers of `boxes` mean, of an input of `width` x `height` pixels; any picture will do.
 * Anchors are ordered by rising stride, row by row.
 */
export function boxCodingOf(boxes: BoxTable, width: number, height: number): BoxCoding {
  const { values, numberStep, anchorStep, anchors } = boxes
  const stride = firstStride(anchors, width, height)
  const [columns, rows] = [width / stride, height / stride]
  /** How much a number grows from cell to cell of the first level. */
  const slope = (number: number, placeOf: (cell: number) => number): number =>
    slopeOf(columns * rows, placeOf, (cell) => values[number * numberStep + cell * anchorStep]!)
  const column = (cell: number): number => cell % columns
  const row = (cell: number): number => Math.floor(cell / columns)
  const [x, y] = [slope(0, column), slope(1, row)]
  return {
    corners: follows(slope(2, column), x) && follows(slope(3, row), y),
    inShares: isShare(x * columns) && isShare(y * rows),
  }
}

/** What a place grows by over the whole picture: about 1 in shares, and 32 at least in pixels. */
function isShare(growth: number): boolean {
  return growth > 0.2 && growth < 5
}

/** Throws `inference.output_invalid` where `scores` of output `name` has numbers that are no probabilities; what is no number at all is not looked for. */
export function requireProbabilities(scores: FloatScores, name: string): void {
  let odd: number | undefined
  eachScore(scores, (score) => {
    if (Number.isFinite(score) && (score < -tolerance || score > 1 + tolerance)) odd ??= score
  })
  if (odd === undefined) return
  throw new AgentError(
    'inference.output_invalid',
    `output ${name} of the model has a score of ${odd.toPrecision(3)}, expected probabilities of 0..1`,
    { hint: 'export the model with the sigmoid behind its class scores, as Ultralytics does' },
  )
}

function eachScore(
  { values, offset, anchors, classes, anchorStep }: FloatScores,
  look: (score: number) => void,
): void {
  const [first, count, step] =
    anchorStep === undefined ? [classes * anchors, 1, 1] : [anchors, classes, anchorStep]
  for (let row = 0; row < first; row++) {
    for (let at = 0; at < count; at++) look(values[offset + row * step + at]!)
  }
}

/** Scores of half floats and of integers miss their ends by a step. */
const tolerance = 0.01

function follows(slope: number, leader: number): boolean {
  return leader > 0 && slope > leader / 2
}

function firstStride(anchors: number, width: number, height: number): number {
  const cells = (stride: number): number => (width / stride) * (height / stride)
  return anchors >= cells(4) ? 4 : 8
}

/** Least squares over the cells of the first level. */
function slopeOf(
  cells: number,
  placeOf: (cell: number) => number,
  valueOf: (cell: number) => number,
): number {
  let [places, sum, squares, products] = [0, 0, 0, 0]
  for (let cell = 0; cell < cells; cell++) {
    const [place, value] = [placeOf(cell), valueOf(cell)]
    places += place
    sum += value
    squares += place * place
    products += place * value
  }
  const spread = squares - (places * places) / cells
  return spread === 0 ? 0 : (products - (places * sum) / cells) / spread
}
