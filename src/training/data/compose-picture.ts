/**
 * Makes training pictures from samples: parts of one or four samples, moved, scaled, mirrored and recolored.
 * Invariant: the picture follows from the random numbers alone; a target keeps to what its object really covers in the picture.
 */

import type { Random } from '../../base/random.js'
import { letterboxPad } from '../../yolo/letterbox.js'
import type { TargetBox } from '../loss/assign-targets.js'
import type { Sample } from '../ports.js'

export interface AugmentationOptions {
  /** Share of pictures made of four samples. Default: 0.5. */
  readonly mosaic?: number
  /** Sizes change by up to this share. Default: 0.4. */
  readonly scale?: number
  /** Places change by up to this share of the picture. Default: 0.1. */
  readonly translate?: number
  /** Shares of pictures that are mirrored. Default: 0.5 and 0. */
  readonly flipLeftRight?: number
  readonly flipUpDown?: number
  /** Largest changes of hue (turns), saturation and brightness (shares). Default: 0.015, 0.5, 0.4. */
  readonly hue?: number
  readonly saturation?: number
  readonly brightness?: number
}

/** No change at all: for measurements. */
export const noAugmentation: AugmentationOptions = {
  mosaic: 0,
  scale: 0,
  translate: 0,
  flipLeftRight: 0,
  flipUpDown: 0,
  hue: 0,
  saturation: 0,
  brightness: 0,
}

export interface PictureSize {
  readonly width: number
  readonly height: number
}

/** Targets of which less remains in the picture are left out. */
const visibleShareMin = 0.25
const sideMinPixels = 2

/** A rectangle of the picture and the sample that is shown in it. */
interface Tile {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
  readonly sample: Sample
  /** From picture to sample: source = (place - offset) / scale, mirrored where negative. */
  readonly scaleX: number
  readonly scaleY: number
  readonly offsetX: number
  readonly offsetY: number
}

/** Fills `into` (`[3, H, W]`, 0..1) with a picture made of samples that `draw` gives; returns its targets. */
export function composePicture(
  draw: () => Sample,
  size: PictureSize,
  random: Random,
  options: AugmentationOptions,
  into: Float32Array,
): readonly TargetBox[] {
  const tiles =
    random.next() < (options.mosaic ?? 0.5)
      ? mosaicTiles(draw, size, random, options)
      : [wholeTile(draw(), size, random, options)]
  const colors = colorMatrix(random, options)
  into.fill(letterboxPad / 255)
  for (const tile of tiles) paint(tile, size, colors, into)
  return tiles.flatMap(targetsOf)
}

function symmetric(random: Random, most: number): number {
  return (2 * random.next() - 1) * most
}

function wholeTile(sample: Sample, size: PictureSize, random: Random, options: AugmentationOptions): Tile {
  const scale = 1 + symmetric(random, options.scale ?? 0.4)
  const move = options.translate ?? 0.1
  return tileOf(
    sample,
    { left: 0, top: 0, right: size.width, bottom: size.height },
    {
      scale,
      // The middle of the sample lies near the middle of the picture.
      left: ((1 - scale) / 2 + symmetric(random, move)) * size.width,
      top: ((1 - scale) / 2 + symmetric(random, move)) * size.height,
    },
    { size, random, options },
  )
}

/** Four samples around a point; each shows a random piece. */
function mosaicTiles(
  draw: () => Sample,
  size: PictureSize,
  random: Random,
  options: AugmentationOptions,
): readonly Tile[] {
  const centreX = Math.round(size.width * (0.3 + 0.4 * random.next()))
  const centreY = Math.round(size.height * (0.3 + 0.4 * random.next()))
  return [0, 1, 2, 3].map((quarter) => {
    const [left, right] = quarter % 2 === 0 ? [0, centreX] : [centreX, size.width]
    const [top, bottom] = quarter < 2 ? [0, centreY] : [centreY, size.height]
    const scale = 0.8 * (1 + symmetric(random, options.scale ?? 0.4))
    const place = (from: number, to: number, side: number): number =>
      from + random.next() * (to - from - scale * side)
    return tileOf(
      draw(),
      { left, top, right, bottom },
      { scale, left: place(left, right, size.width), top: place(top, bottom, size.height) },
      { size, random, options },
    )
  })
}

function tileOf(
  sample: Sample,
  area: Pick<Tile, 'left' | 'top' | 'right' | 'bottom'>,
  place: { readonly scale: number; readonly left: number; readonly top: number },
  { size, random, options }: { size: PictureSize; random: Random; options: AugmentationOptions },
): Tile {
  const mirrorX = random.next() < (options.flipLeftRight ?? 0.5)
  const mirrorY = random.next() < (options.flipUpDown ?? 0)
  const { scale } = place
  return {
    ...area,
    sample,
    scaleX: mirrorX ? -scale : scale,
    scaleY: mirrorY ? -scale : scale,
    offsetX: place.left + (mirrorX ? scale * size.width : 0),
    offsetY: place.top + (mirrorY ? scale * size.height : 0),
  }
}

/**
 * Turns hue, saturation and brightness in one 3x3 matrix: a rotation around the gray axis, a stretch away from it, and a factor.
 */
function colorMatrix(random: Random, options: AugmentationOptions): readonly number[] {
  const angle = symmetric(random, options.hue ?? 0.015) * 2 * Math.PI
  const saturation = 1 + symmetric(random, options.saturation ?? 0.5)
  const brightness = 1 + symmetric(random, options.brightness ?? 0.4)
  const along = (1 - saturation * Math.cos(angle)) / 3
  const across = (saturation * Math.sin(angle)) / Math.sqrt(3)
  const same = brightness * (saturation * Math.cos(angle) + along)
  const next = brightness * (along - across)
  const other = brightness * (along + across)
  return [same, next, other, other, same, next, next, other, same]
}

/** Nearest-in-between (bilinear) reads of the sample, through the color matrix. */
function paint(tile: Tile, size: PictureSize, colors: readonly number[], into: Float32Array): void {
  const { pixels } = tile.sample
  const { width, height } = size
  const plane = width * height
  const [m0, m1, m2, m3, m4, m5, m6, m7, m8] = colors as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  for (let y = tile.top; y < tile.bottom; y++) {
    const sourceY = (y + 0.5 - tile.offsetY) / tile.scaleY - 0.5
    if (sourceY <= -1 || sourceY >= height) continue
    const row = Math.max(0, Math.min(height - 2, Math.floor(sourceY)))
    const down = Math.max(0, Math.min(1, sourceY - row))
    for (let x = tile.left; x < tile.right; x++) {
      const sourceX = (x + 0.5 - tile.offsetX) / tile.scaleX - 0.5
      if (sourceX <= -1 || sourceX >= width) continue
      const column = Math.max(0, Math.min(width - 2, Math.floor(sourceX)))
      const across = Math.max(0, Math.min(1, sourceX - column))
      const at = 3 * (row * width + column)
      const below = at + 3 * width
      const [a, b, c, d] = [
        (1 - across) * (1 - down),
        across * (1 - down),
        (1 - across) * down,
        across * down,
      ]
      const red = a * pixels[at]! + b * pixels[at + 3]! + c * pixels[below]! + d * pixels[below + 3]!
      const green =
        a * pixels[at + 1]! + b * pixels[at + 4]! + c * pixels[below + 1]! + d * pixels[below + 4]!
      const blue = a * pixels[at + 2]! + b * pixels[at + 5]! + c * pixels[below + 2]! + d * pixels[below + 5]!
      const to = y * width + x
      into[to] = clamp(m0 * red + m1 * green + m2 * blue)
      into[to + plane] = clamp(m3 * red + m4 * green + m5 * blue)
      into[to + 2 * plane] = clamp(m6 * red + m7 * green + m8 * blue)
    }
  }
}

function clamp(value: number): number {
  return value <= 0 ? 0 : value >= 255 ? 1 : value / 255
}

function targetsOf(tile: Tile): readonly TargetBox[] {
  return tile.sample.targets.flatMap((target) => {
    const xs = [target.x1, target.x2].map((x) => x * tile.scaleX + tile.offsetX)
    const ys = [target.y1, target.y2].map((y) => y * tile.scaleY + tile.offsetY)
    const [left, right] = [Math.min(...xs), Math.max(...xs)]
    const [top, bottom] = [Math.min(...ys), Math.max(...ys)]
    const x1 = Math.max(tile.left, left)
    const x2 = Math.min(tile.right, right)
    const y1 = Math.max(tile.top, top)
    const y2 = Math.min(tile.bottom, bottom)
    if (x2 - x1 < sideMinPixels || y2 - y1 < sideMinPixels) return []
    const share = ((x2 - x1) * (y2 - y1)) / ((right - left) * (bottom - top))
    return share < visibleShareMin ? [] : [{ classIndex: target.classIndex, x1, y1, x2, y2 }]
  })
}
