/**
 * Pictures as they come out on another day, through another lens: shifted copies that ask a model whether it only knows what it
 * was prepared with.
 * Invariant: pure and without chance; a copy has the size of its original, and every one shows what a camera could deliver.
 */

import { letterboxPad } from '../yolo/letterbox.js'

export interface PictureSize {
  readonly width: number
  readonly height: number
}

/** RGB bytes `[height, width, 3]`, rows without gaps. */
type Pixels = Uint8Array

type Shift = (pictures: readonly Pixels[], size: PictureSize) => Pixels

const shifts = {
  /** A darker scene: two fifths of the light. */
  dark: ([picture]) => picture!.map((value) => Math.round(0.4 * value)),
  /** A brighter scene: half way to white. */
  bright: ([picture]) => picture!.map((value) => Math.round(255 - 0.5 * (255 - value))),
  /** Out of focus: the mean of a window of a hundredth of the width. */
  blurred: ([picture], size) => blurred(picture!, size, Math.max(1, Math.round(size.width / 200))),
  /** Twice as far away: at half size in the middle of gray. */
  small: ([picture], size) => {
    const half = halved(picture!, size)
    const into = grey(size)
    paste(half, into, size, { left: (size.width - half.width) >> 1, top: (size.height - half.height) >> 1 })
    return into
  },
  /** Four pictures at half size, side by side: more and smaller objects than in any one. */
  mosaic: (pictures, size) => {
    const into = grey(size)
    for (let quarter = 0; quarter < 4; quarter++) {
      const half = halved(pictures[quarter % pictures.length]!, size)
      const left = quarter % 2 === 0 ? 0 : size.width - half.width
      const top = quarter < 2 ? 0 : size.height - half.height
      paste(half, into, size, { left, top })
    }
    return into
  },
} as const satisfies Readonly<Record<string, Shift>>

export type PictureShift = keyof typeof shifts

/** The names of all shifts, in the order in which shifted copies are made. */
export const pictureShifts = Object.keys(shifts) as readonly PictureShift[]

/**
 * A shifted copy of the first of `pictures`, RGB bytes `[height, width, 3]` of `size`; a mosaic shows the first four of them, and
 * those there are again where there are fewer. At least one picture; the caller owns the result.
 */
export function shiftedPicture(shift: PictureShift, pictures: readonly Pixels[], size: PictureSize): Pixels {
  return shifts[shift](pictures, size)
}

function grey({ width, height }: PictureSize): Pixels {
  return new Uint8Array(width * height * 3).fill(letterboxPad)
}

interface Part extends PictureSize {
  readonly pixels: Pixels
}

/** Each pixel the mean of four; an odd last row or column is left out. */
function halved(picture: Pixels, size: PictureSize): Part {
  const [width, height] = [size.width >> 1, size.height >> 1]
  const pixels = new Uint8Array(width * height * 3)
  const row = size.width * 3
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = 2 * y * row + 6 * x
      const to = (y * width + x) * 3
      for (let color = 0; color < 3; color++) {
        const at = from + color
        const sum = picture[at]! + picture[at + 3]! + picture[at + row]! + picture[at + row + 3]!
        pixels[to + color] = (sum + 2) >> 2
      }
    }
  }
  return { width, height, pixels }
}

function paste(
  part: Part,
  into: Pixels,
  size: PictureSize,
  { left, top }: { readonly left: number; readonly top: number },
): void {
  for (let y = 0; y < part.height; y++) {
    const row = part.pixels.subarray(y * part.width * 3, (y + 1) * part.width * 3)
    into.set(row, ((top + y) * size.width + left) * 3)
  }
}

/** The mean of a square window of `2 * radius + 1` pixels, along rows and then along columns; edges are repeated. */
function blurred(picture: Pixels, { width, height }: PictureSize, radius: number): Pixels {
  const rows = windowMeans(picture, { lines: height, line: width * 3, count: width, step: 3 }, radius)
  return windowMeans(rows, { lines: width, line: 3, count: height, step: width * 3 }, radius)
}

/** `lines` lines that start `line` apart, each of `count` pixels that lie `step` apart. */
interface Walk {
  readonly lines: number
  readonly line: number
  readonly count: number
  readonly step: number
}

function windowMeans(from: Pixels, { lines, line, count, step }: Walk, radius: number): Pixels {
  const into = new Uint8Array(from.length)
  const window = 2 * radius + 1
  const last = count - 1
  for (let start = 0; start < lines; start++) {
    for (let color = 0; color < 3; color++) {
      const first = start * line + color
      let sum = 0
      for (let index = -radius; index <= radius; index++)
        sum += from[first + Math.min(last, Math.max(0, index)) * step]!
      for (let index = 0; index < count; index++) {
        into[first + index * step] = Math.round(sum / window)
        const enters = from[first + Math.min(last, index + radius + 1) * step]!
        const leaves = from[first + Math.max(0, index - radius) * step]!
        sum += enters - leaves
      }
    }
  }
  return into
}
