/**
 * Pictures that are drawn, not taken: they exercise a network where the pictures to calibrate with may not, because those are few, dark,
 * empty, or of another domain than the one that the network learned.
 * Dead leaves (textured shapes of all sizes that hide each other) have the statistics of natural pictures: edges at every scale, even
 * areas, corners, and how often each size occurs (Lee, Mumford and Huang, Occlusion Models for Natural Images, 2001).
 * Invariant: the same index and size give the same bytes on every machine.
 */

import { type Random, seededRandom } from '../../../base/random.js'
import type { CalibrationImages } from '../../ports.js'

/** So many that shapes of every size, brightness and texture occur, and so few that drawing them takes no time. */
const pictureCount = 8
const radiusMin = 3
/** Of the shorter side of the picture. */
const radiusShareMax = 0.4
/** How often the leaves of a picture would cover its area, if none lay above another. */
const coverageMin = 0.25
const coverageMax = 4
const tileSide = 256

type Color = readonly [number, number, number]

/** What lies around (x, y): a color, how it changes from there, and how much of the texture is laid over it. */
interface Surface {
  readonly x: number
  readonly y: number
  readonly color: Color
  readonly slopeX: number
  readonly slopeY: number
  readonly texture: number
  readonly textureX: number
  readonly textureY: number
}

interface Leaf extends Surface {
  readonly shape: 'ellipse' | 'rectangle' | 'triangle'
  readonly radius: number
  readonly aspect: number
  readonly cosine: number
  readonly sine: number
}

/** Eight pictures. Each is drawn when it is first read, and kept until another size is asked for. */
export function companionPictures(): CalibrationImages {
  const kept = new Map<number, { readonly size: string; readonly pixels: Uint8Array }>()
  return {
    count: pictureCount,
    read: (index, { width, height }) => {
      const size = `${width}x${height}`
      const known = kept.get(index)
      if (known?.size === size) return Promise.resolve(known.pixels)
      const pixels = drawLeaves(width, height, seededRandom(1 + index))
      kept.set(index, { size, pixels })
      return Promise.resolve(pixels)
    },
  }
}

/** RGB `[height, width, 3]`, drawn from the front to the back: what is covered is never computed. */
function drawLeaves(width: number, height: number, random: Random): Uint8Array {
  const pixels = new Uint8Array(width * height * 3)
  const covered = new Uint8Array(width * height)
  const canvas = { pixels, covered, width, height, tile: textureTile(random) }
  const radiusMax = Math.max(2 * radiusMin, radiusShareMax * Math.min(width, height))
  // The mean of the squared radius over the density of `leafRadius`, times what an ellipse of the mean aspect covers of it.
  const leafArea = 2 * radiusMin ** 2 * Math.log(radiusMax / radiusMin) * Math.PI * 0.7
  const coverage = coverageMin * (coverageMax / coverageMin) ** random.next()
  const count = Math.ceil((coverage * width * height) / leafArea)
  for (let leaf = 0; leaf < count; leaf++) drawLeaf(canvas, randomLeaf(width, height, radiusMax, random))
  const ground = randomSurface(random, { x: width / 2, y: height / 2, radius: Math.max(width, height) })
  for (let y = 0, place = 0; y < height; y++)
    for (let x = 0; x < width; x++, place++) if (covered[place] === 0) paint(canvas, ground, x, y)
  return pixels
}

interface Canvas {
  readonly pixels: Uint8Array
  readonly covered: Uint8Array
  readonly width: number
  readonly height: number
  readonly tile: Float32Array
}

function drawLeaf(canvas: Canvas, leaf: Leaf): void {
  const { covered, width, height } = canvas
  const reach = leaf.radius * Math.SQRT2
  const [left, right] = [Math.max(0, Math.floor(leaf.x - reach)), Math.min(width - 1, leaf.x + reach)]
  const [top, bottom] = [Math.max(0, Math.floor(leaf.y - reach)), Math.min(height - 1, leaf.y + reach)]
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const place = y * width + x
      if (covered[place] !== 0 || !isInside(leaf, x - leaf.x, y - leaf.y)) continue
      covered[place] = 1
      paint(canvas, leaf, x, y)
    }
  }
}

function isInside({ shape, radius, aspect, cosine, sine }: Leaf, x: number, y: number): boolean {
  const along = (x * cosine + y * sine) / radius
  const across = (y * cosine - x * sine) / (radius * aspect)
  if (shape === 'ellipse') return along * along + across * across < 1
  if (shape === 'rectangle') return Math.abs(along) < 0.9 && Math.abs(across) < 0.9
  return across > -0.6 && across + 1.7 * Math.abs(along) < 0.9
}

/** Sets the color at (x, y) to that of `surface`. */
function paint({ pixels, width, tile }: Canvas, surface: Surface, x: number, y: number): void {
  const row = (y + surface.textureY) & (tileSide - 1)
  const column = (x + surface.textureX) & (tileSide - 1)
  const shade = surface.slopeX * (x - surface.x) + surface.slopeY * (y - surface.y)
  const light = shade + surface.texture * tile[row * tileSide + column]!
  const first = 3 * (y * width + x)
  for (let channel = 0; channel < 3; channel++) {
    const value = surface.color[channel]! + light
    pixels[first + channel] = value < 0 ? 0 : value > 255 ? 255 : value
  }
}

function randomLeaf(width: number, height: number, radiusMax: number, random: Random): Leaf {
  const radius = leafRadius(radiusMax, random)
  const angle = random.next() * Math.PI
  const shapes = ['ellipse', 'rectangle', 'triangle'] as const
  return {
    ...randomSurface(random, { x: random.next() * width, y: random.next() * height, radius }),
    shape: shapes[random.integer(3)]!,
    radius,
    aspect: 0.4 + 0.6 * random.next(),
    cosine: Math.cos(angle),
    sine: Math.sin(angle),
  }
}

/** A radius r with density r^-3, so that enlarging a picture leaves its statistics as they are. */
function leafRadius(radiusMax: number, random: Random): number {
  const share = random.next()
  return 1 / Math.sqrt(share / radiusMin ** 2 + (1 - share) / radiusMax ** 2)
}

/** A surface that reaches `radius` pixels from (x, y). */
function randomSurface(
  random: Random,
  { x, y, radius }: { readonly x: number; readonly y: number; readonly radius: number },
): Surface {
  const level = (): number => 256 * random.next()
  const first = level()
  const isGray = random.next() < 0.4
  const near = (): number => first + 20 * (random.next() - 0.5)
  return {
    x,
    y,
    color: isGray ? [first, near(), near()] : [first, level(), level()],
    slopeX: (70 * (random.next() - 0.5)) / radius,
    slopeY: (70 * (random.next() - 0.5)) / radius,
    texture: 30 * random.next(),
    textureX: random.integer(tileSide),
    textureY: random.integer(tileSide),
  }
}

/** `[256, 256]` of mean about 0 and standard deviation 1 that repeats without a seam: noise of all sizes, each half as strong as its double. */
function textureTile(random: Random): Float32Array {
  const tile = new Float32Array(tileSide * tileSide)
  for (let cell = 2; cell <= tileSide / 4; cell *= 2) addOctave(tile, cell, Math.sqrt(cell), random)
  let squares = 0
  for (const value of tile) squares += value * value
  const deviation = Math.sqrt(squares / tile.length)
  return tile.map((value) => value / deviation)
}

/** Adds random numbers at every `cell`th place, and straight lines between them. */
function addOctave(tile: Float32Array, cell: number, strength: number, random: Random): void {
  const cells = tileSide / cell
  const nodes = Float32Array.from({ length: cells * cells }, () => strength * (2 * random.next() - 1))
  for (let y = 0; y < tileSide; y++) {
    const row = Math.floor(y / cell)
    const [above, below] = [row * cells, ((row + 1) % cells) * cells]
    const down = (y % cell) / cell
    for (let x = 0; x < tileSide; x++) {
      const column = Math.floor(x / cell)
      const next = (column + 1) % cells
      const right = (x % cell) / cell
      const upper = nodes[above + column]! * (1 - right) + nodes[above + next]! * right
      const lower = nodes[below + column]! * (1 - right) + nodes[below + next]! * right
      tile[y * tileSide + x]! += upper * (1 - down) + lower * down
    }
  }
}
