/**
 * Draws a planned scene and says where its parts are.
 * Invariant: the same scene, size and shift give the same bytes; a box is that of the part as far as it lies in the picture, and a part of
 * which less than a third can be seen has none.
 */

import { type Random, seededRandom } from '../../base/random.js'
import type { TargetBox } from '../loss/assign-targets.js'
import { partNames, type PartShape, partShape } from './part-shapes.js'
import type { Color, Scene, SceneClutter, ScenePart } from './scene.js'

export interface DrawnScene {
  /** RGB, `[height, width, 3]`. */
  readonly pixels: Uint8Array
  /** The boxes of the parts that can be seen, in pixels of the picture. */
  readonly targets: readonly TargetBox[]
}

const visibleShareMin = 1 / 3

/** Draws `scene` with `width` x `height` pixels; `shift` moves what lies on the belt to the right, in shorter sides. */
export function drawScene(scene: Scene, width: number, height: number, shift = 0): DrawnScene {
  const canvas = new Canvas(width, height)
  const random = seededRandom(scene.seed + 17)
  drawBelt(canvas, scene, shift)
  for (const clutter of scene.clutter) drawClutter(canvas, clutter, shift)
  const shapes = scene.parts.map((part) => new PlacedPart(scene, part, canvas, shift))
  for (const shape of shapes) shape.drawShadow(canvas)
  shapes.forEach((shape, index) => {
    shape.draw(canvas, index + 1)
  })
  const lit = canvas.blurred(Math.round(scene.blur * canvas.side))
  const pixels = develop(lit, scene, random, canvas)
  const seen = canvas.countOwners(shapes.length)
  const targets = shapes.flatMap((shape, index) => {
    const visible = (seen[index + 1] ?? 0) / Math.max(1, shape.wholeArea)
    return shape.box === undefined || visible < visibleShareMin ? [] : [shape.box]
  })
  return { pixels, targets }
}

/** Linear colors 0..255 and which part each pixel shows (0: none). */
class Canvas {
  readonly width: number
  readonly height: number
  /** The length of the shorter side, pixels. */
  readonly side: number
  readonly colors: Float32Array
  readonly owners: Uint8Array

  constructor(width: number, height: number) {
    this.width = width
    this.height = height
    this.side = Math.min(width, height)
    this.colors = new Float32Array(width * height * 3)
    this.owners = new Uint8Array(width * height)
  }

  /** Lays `color`, made darker or lighter by `shade`, over the pixel `at` with `opacity` 0..1. */
  blend(at: number, color: Color, shade: number, opacity: number): void {
    for (let channel = 0; channel < 3; channel++) {
      const under = this.colors[3 * at + channel]!
      this.colors[3 * at + channel] = under + (color[channel]! * shade - under) * opacity
    }
  }

  countOwners(count: number): Uint32Array {
    const counts = new Uint32Array(count + 1)
    for (const owner of this.owners) counts[owner] = counts[owner]! + 1
    return counts
  }

  /** The mean over a square of 2 `radius` + 1 pixels, first along rows, then along columns. */
  blurred(radius: number): Float32Array {
    if (radius === 0) return this.colors
    const row = 3 * this.width
    const along = boxMean(this.colors, radius, { step: 3, length: this.width, next: row, lines: this.height })
    return boxMean(along, radius, { step: row, length: this.height, next: 3, lines: this.width })
  }
}

/** How lines lie in an array: elements `step` apart, lines `next` apart. */
interface Lines {
  readonly step: number
  readonly length: number
  readonly next: number
  readonly lines: number
}

/** The running mean along lines of three channels; borders repeat. */
function boxMean(from: Float32Array, radius: number, { step, length, next, lines }: Lines): Float32Array {
  const into = new Float32Array(from.length)
  for (let line = 0; line < lines; line++) {
    for (let channel = 0; channel < 3; channel++) {
      const start = line * next + channel
      const read = (at: number): number => from[start + Math.min(length - 1, Math.max(0, at)) * step]!
      let sum = 0
      for (let at = -radius; at <= radius; at++) sum += read(at)
      for (let at = 0; at < length; at++) {
        into[start + at * step] = sum / (2 * radius + 1)
        sum += read(at + radius + 1) - read(at - radius)
      }
    }
  }
  return into
}

/** Smooth noise: random values on a grid, linear between them. */
function smoothNoise(random: Random, columns: number, rows: number): (x: number, y: number) => number {
  const values = Float32Array.from({ length: (columns + 1) * (rows + 1) }, () => random.next() - 0.5)
  return (x, y) => {
    const [gx, gy] = [x * columns, y * rows]
    const [left, top] = [Math.min(columns - 1, Math.floor(gx)), Math.min(rows - 1, Math.floor(gy))]
    const [fx, fy] = [gx - left, gy - top]
    const at = top * (columns + 1) + left
    const upper = values[at]! * (1 - fx) + values[at + 1]! * fx
    const lower = values[at + columns + 1]! * (1 - fx) + values[at + columns + 2]! * fx
    return upper * (1 - fy) + lower * fy
  }
}

function drawBelt(canvas: Canvas, scene: Scene, shift: number): void {
  const { width, height, side, colors } = canvas
  const { color, texture, ribs, ribStrength, angle } = scene.belt
  const random = seededRandom(scene.seed + 5)
  const coarse = smoothNoise(random, 6, 6)
  const fine = smoothNoise(random, 60, 60)
  const [across, along] = [Math.cos(angle), Math.sin(angle)]
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const mottle = texture * (1.2 * coarse(x / width, y / height) + 1.6 * fine(x / width, y / height))
      const line = ((x / side - shift) * across + (y / side) * along) / ribs
      const rib = ribStrength * Math.exp(-60 * (line - Math.round(line)) ** 2)
      const shade = 1 + mottle - rib
      const at = 3 * (y * width + x)
      for (let channel = 0; channel < 3; channel++) colors[at + channel] = color[channel]! * shade
    }
  }
}

function drawClutter(canvas: Canvas, clutter: SceneClutter, shift: number): void {
  const { side } = canvas
  const reach = (clutter.halfLength + clutter.halfWidth) * side + 1
  const [cos, sin] = [Math.cos(clutter.angle), Math.sin(clutter.angle)]
  visit(canvas, (clutter.x + shift) * side, clutter.y * side, reach, (at, dx, dy) => {
    const u = (dx * cos + dy * sin) / side
    const v = (dy * cos - dx * sin) / side
    const off = Math.max(Math.abs(u) - clutter.halfLength, Math.abs(v) - clutter.halfWidth) * side
    const cover = Math.min(1, Math.max(0, 0.5 - off))
    if (cover > 0) canvas.blend(at, clutter.color, 1, cover * clutter.opacity)
  })
}

/** Calls `paint` for the pixels of a square around a point, with the pixel's center relative to the point. */
function visit(
  canvas: Canvas,
  x: number,
  y: number,
  reach: number,
  paint: (at: number, dx: number, dy: number) => void,
): void {
  const [left, right] = [Math.max(0, Math.floor(x - reach)), Math.min(canvas.width - 1, Math.ceil(x + reach))]
  const [top, bottom] = [
    Math.max(0, Math.floor(y - reach)),
    Math.min(canvas.height - 1, Math.ceil(y + reach)),
  ]
  for (let row = top; row <= bottom; row++)
    for (let column = left; column <= right; column++)
      paint(row * canvas.width + column, column + 0.5 - x, row + 0.5 - y)
}

/** A part of the scene with its place and size in pixels of a canvas. */
class PlacedPart {
  /** The box of what is seen of the part, in pixels of the picture; undefined where none of it is seen. */
  box: TargetBox | undefined
  /** Pixels that it would cover without the picture's border and other parts. */
  wholeArea = 0
  readonly #part: ScenePart
  readonly #shape: PartShape
  readonly #light: Scene['light']
  readonly #x: number
  readonly #y: number
  readonly #radius: number
  readonly #cos: number
  readonly #sin: number

  constructor(scene: Scene, part: ScenePart, canvas: Canvas, shift: number) {
    this.#part = part
    this.#shape = partShape(partNames[part.classIndex]!, part.traits)
    this.#light = scene.light
    this.#x = (part.x + shift) * canvas.side
    this.#y = part.y * canvas.side
    this.#radius = part.radius * canvas.side
    this.#cos = Math.cos(part.angle)
    this.#sin = Math.sin(part.angle)
  }

  drawShadow(canvas: Canvas): void {
    const { angle, shadowLength, shadowSoftness, shadowDepth } = this.#light
    const soft = shadowSoftness * canvas.side
    const [x, y] = [
      this.#x - Math.cos(angle) * shadowLength * canvas.side,
      this.#y - Math.sin(angle) * shadowLength * canvas.side,
    ]
    visit(canvas, x, y, this.#radius + soft, (at, dx, dy) => {
      const cover = Math.min(1, Math.max(0, 0.5 - this.#distance(dx, dy) / soft))
      if (cover > 0) canvas.blend(at, black, 1, cover * shadowDepth)
    })
  }

  draw(canvas: Canvas, owner: number): void {
    const { color, gloss } = this.#part
    const [lightX, lightY] = [Math.cos(this.#light.angle), Math.sin(this.#light.angle)]
    const bevel = Math.max(1, 0.09 * this.#radius)
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity]
    const reach = this.#radius + 1
    this.wholeArea = this.#area()
    visit(canvas, this.#x, this.#y, reach, (at, dx, dy) => {
      const distance = this.#distance(dx, dy)
      const cover = Math.min(1, Math.max(0, 0.5 - distance))
      if (cover === 0) return
      let shade = this.#shape.shade(this.#u(dx, dy), this.#v(dx, dy))
      if (distance > -bevel) {
        const slopeX = this.#distance(dx + 0.5, dy) - this.#distance(dx - 0.5, dy)
        const slopeY = this.#distance(dx, dy + 0.5) - this.#distance(dx, dy - 0.5)
        shade *= 1 + gloss * (1 + distance / bevel) * (slopeX * lightX + slopeY * lightY) * 0.8
      }
      canvas.blend(at, color, shade, cover)
      if (cover < 0.5) return
      canvas.owners[at] = owner
      const [column, row] = [at % canvas.width, Math.floor(at / canvas.width)]
      left = Math.min(left, column)
      right = Math.max(right, column + 1)
      top = Math.min(top, row)
      bottom = Math.max(bottom, row + 1)
    })
    if (right > left && bottom > top)
      this.box = { classIndex: this.#part.classIndex, x1: left, y1: top, x2: right, y2: bottom }
  }

  /** Estimated on a grid of 32 x 32 points, in pixels. */
  #area(): number {
    let inside = 0
    for (let row = 0; row < 32; row++)
      for (let column = 0; column < 32; column++)
        if (this.#shape.distance((column + 0.5) / 16 - 1, (row + 0.5) / 16 - 1) < 0) inside++
    return (inside / 1024) * (2 * this.#radius) ** 2
  }

  #u(dx: number, dy: number): number {
    return (dx * this.#cos + dy * this.#sin) / this.#radius
  }

  #v(dx: number, dy: number): number {
    return (dy * this.#cos - dx * this.#sin) / this.#radius
  }

  #distance(dx: number, dy: number): number {
    return this.#shape.distance(this.#u(dx, dy), this.#v(dx, dy)) * this.#radius
  }
}

const black: Color = [0, 0, 0]

/** Light over the picture, sensor noise, and rounding to bytes. */
function develop(colors: Float32Array, scene: Scene, random: Random, canvas: Canvas): Uint8Array {
  const { width, height, side } = canvas
  const { angle, slope, level, tint } = scene.light
  const [alongX, alongY] = [Math.cos(angle), Math.sin(angle)]
  const pixels = new Uint8Array(colors.length)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const place = ((x - width / 2) * alongX + (y - height / 2) * alongY) / side
      const light = level * (1 + slope * place)
      for (let channel = 0; channel < 3; channel++) {
        const at = 3 * (y * width + x) + channel
        // The sum of three uniform numbers is near enough to a normal one.
        const noise = 2 * scene.noise * (random.next() + random.next() + random.next() - 1.5)
        pixels[at] = Math.min(255, Math.max(0, Math.round(colors[at]! * light * tint[channel]! + noise)))
      }
    }
  }
  return pixels
}
