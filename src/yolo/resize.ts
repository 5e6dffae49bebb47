/**
 * Bilinear resize of 8-bit RGB, and the letterboxed picture made with it.
 * Invariant: the arithmetic is OpenCV's INTER_LINEAR (half-pixel centres, no antialiasing, 11-bit fixed-point weights):
 * what the training pictures went through. A filter that averages when it shrinks gives a model other pixels than it knows.
 */

import { invariant } from '../base/assert.js'
import { roundHalfToEven } from '../base/numeric.js'
import { letterboxPad } from './letterbox.js'
import type { Letterbox } from './letterbox.js'

/** A picture in rows from the top, three bytes R, G, B a pixel, no gaps between rows. */
export interface RgbPicture {
  readonly data: Uint8Array
  readonly width: number
  readonly height: number
}

const weightOne = 2048

/**
 * For each target position: the first of its two source positions (-1 before the edge), and the weight of the second
 * (0..2048).
 */
interface Taps {
  readonly first: Int32Array
  readonly weight: Int32Array
}

function tapsOf(sourceSize: number, targetSize: number): Taps {
  const first = new Int32Array(targetSize)
  const weight = new Int32Array(targetSize)
  const step = 1 / (targetSize / sourceSize)
  for (let position = 0; position < targetSize; position++) {
    const centre = Math.fround((position + 0.5) * step - 0.5)
    const left = Math.floor(centre)
    first[position] = left
    weight[position] = roundHalfToEven(Math.fround(centre - left) * weightOne)
  }
  return { first, weight }
}

/**
 * Taps of columns: at the edges one pixel counts alone.
 * Rows need no such step, they meet the edge row twice; the products of its two weights are cut off one by one, as in OpenCV.
 */
function columnTaps(sourceSize: number, targetSize: number): Taps {
  const taps = tapsOf(sourceSize, targetSize)
  for (let position = 0; position < targetSize; position++) {
    const left = taps.first[position]!
    if (left >= 0 && left < sourceSize - 1) continue
    taps.first[position] = left < 0 ? 0 : sourceSize - 1
    taps.weight[position] = 0
  }
  return taps
}

/** Interpolates one source row to the target's width; `row` gets values scaled by 2048. */
function resizeRow(source: RgbPicture, sourceRow: number, columns: Taps, row: Int32Array): void {
  const { data, width } = source
  const { first, weight } = columns
  const start = sourceRow * width * 3
  const lastPixel = (width - 1) * 3
  for (let column = 0, out = 0; column < first.length; column++, out += 3) {
    const offset = first[column]! * 3
    const left = start + offset
    const right = offset === lastPixel ? left : left + 3
    const rightWeight = weight[column]!
    const leftWeight = weightOne - rightWeight
    row[out] = data[left]! * leftWeight + data[right]! * rightWeight
    row[out + 1] = data[left + 1]! * leftWeight + data[right + 1]! * rightWeight
    row[out + 2] = data[left + 2]! * leftWeight + data[right + 2]! * rightWeight
  }
}

/** Where the resized picture goes: a rectangle inside a picture that is `rowWidth` pixels wide. */
export interface ResizeTarget {
  /** Filled in the rectangle, untouched outside. */
  readonly data: Uint8Array
  readonly rowWidth: number
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

/** Borrows `source`, fills the rectangle of `target`. Sizes are positive whole pixels. */
export function resizeBilinear(source: RgbPicture, target: ResizeTarget): void {
  invariant(source.data.length >= source.width * source.height * 3, 'the source holds all of its rows')
  const { data, width, height } = target
  const columns = columnTaps(source.width, width)
  const rows = tapsOf(source.height, height)
  let upper = new Int32Array(width * 3)
  let lower = new Int32Array(width * 3)
  let upperRow = -1
  let lowerRow = -1
  for (let y = 0; y < height; y++) {
    const first = Math.max(rows.first[y]!, 0)
    const second = Math.min(rows.first[y]! + 1, source.height - 1)
    if (first === lowerRow) {
      ;[upper, lower] = [lower, upper]
      ;[upperRow, lowerRow] = [lowerRow, upperRow]
    }
    if (first !== upperRow) {
      resizeRow(source, first, columns, upper)
      upperRow = first
    }
    const lowerWeight = rows.weight[y]!
    if (second !== lowerRow && lowerWeight !== 0) {
      resizeRow(source, second, columns, lower)
      lowerRow = second
    }
    const upperWeight = weightOne - lowerWeight
    const start = ((target.top + y) * target.rowWidth + target.left) * 3
    // The shifts are OpenCV's: 4 bits off before the product, 16 after it, 2 more with rounding: 22 = 11 + 11.
    for (let index = 0; index < upper.length; index++) {
      const blended =
        ((upperWeight * (upper[index]! >> 4)) >> 16) + ((lowerWeight * (lower[index]! >> 4)) >> 16)
      data[start + index] = (blended + 2) >> 2
    }
  }
}

/**
 * Borrows `source`, fills `into` (`[inputHeight, inputWidth, 3]`) with the letterboxed picture: scaled, centred, grey around it.
 * `box` is the letterbox of the source's size.
 */
export function fillLetterboxed(source: RgbPicture, into: Uint8Array, box: Letterbox): void {
  invariant(into.length === box.inputWidth * box.inputHeight * 3, 'the target has the size of the input')
  invariant(
    source.width === box.sourceWidth && source.height === box.sourceHeight,
    'the letterbox is of this picture',
  )
  if (box.scaledWidth !== box.inputWidth || box.scaledHeight !== box.inputHeight) into.fill(letterboxPad)
  resizeBilinear(source, {
    data: into,
    rowWidth: box.inputWidth,
    left: box.padLeft,
    top: box.padTop,
    width: box.scaledWidth,
    height: box.scaledHeight,
  })
}
