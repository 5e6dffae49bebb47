/**
 * Frames that need no camera and no program: shapes that move, or a given picture panned and zoomed.
 * Invariant: frame n of a seed is the same on every machine; drawing writes into the slot and allocates nothing.
 */

import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { messageOf } from '../base/errors.js'
import type { Random } from '../base/random.js'
import { seededRandom } from '../base/random.js'
import type { Letterbox } from '../yolo/letterbox.js'
import { letterbox } from '../yolo/letterbox.js'
import type { RgbPicture } from '../yolo/resize.js'
import { resizeBilinear } from '../yolo/resize.js'
import type { FrameRing } from './frame-ring.js'
import type { FrameSource } from './frame-source.js'
import { isImagePath, listImages } from './image-files.js'
import { Pace } from './pace.js'
import { readRgb } from './read-image.js'
import type { SourceContext } from './source-context.js'
import { sourceInvalid } from './source-uri.js'

const defaults = { fps: 15, width: 1280, height: 720, seed: 1 } as const
const framesPerPicture = 120

/** Draws frame `index` into `pixels` (`[inputHeight, inputWidth, 3]`), inside the box only. */
interface Scene {
  readonly box: Letterbox
  draw(pixels: Uint8Array, index: number): void
}

interface Shape {
  readonly isDisc: boolean
  readonly red: number
  readonly green: number
  readonly blue: number
  /** Half of the extent, input pixels. */
  readonly radius: number
  /** Where it starts, and how far it moves a frame, input pixels. */
  readonly x: number
  readonly y: number
  readonly stepX: number
  readonly stepY: number
}

function shapesOf(box: Letterbox, random: Random): Shape[] {
  const shortSide = Math.min(box.scaledWidth, box.scaledHeight)
  const step = (): number => (random.next() - 0.5) * 0.02 * shortSide
  return Array.from({ length: 6 }, () => ({
    isDisc: random.next() < 0.5,
    red: 64 + random.integer(192),
    green: 64 + random.integer(192),
    blue: 64 + random.integer(192),
    radius: shortSide * (0.05 + 0.1 * random.next()),
    x: random.next() * box.scaledWidth,
    y: random.next() * box.scaledHeight,
    stepX: step(),
    stepY: step(),
  }))
}

/** A place that moves by `step` a frame and turns round at 0 and `size`. */
function bounced(start: number, step: number, index: number, size: number): number {
  const travelled = start + step * index
  const phase = ((travelled % (2 * size)) + 2 * size) % (2 * size)
  return phase < size ? phase : 2 * size - phase
}

function drawShape(shape: Shape, index: number, box: Letterbox, pixels: Uint8Array): void {
  const centreX = bounced(shape.x, shape.stepX, index, box.scaledWidth)
  const centreY = bounced(shape.y, shape.stepY, index, box.scaledHeight)
  const top = Math.max(0, Math.ceil(centreY - shape.radius))
  const bottom = Math.min(box.scaledHeight - 1, Math.floor(centreY + shape.radius))
  for (let y = top; y <= bottom; y++) {
    const distance = y - centreY
    const half = shape.isDisc ? Math.sqrt(shape.radius ** 2 - distance ** 2) : shape.radius
    const left = Math.max(0, Math.ceil(centreX - half))
    const right = Math.min(box.scaledWidth - 1, Math.floor(centreX + half))
    let at = ((box.padTop + y) * box.inputWidth + box.padLeft + left) * 3
    for (let x = left; x <= right; x++, at += 3) {
      pixels[at] = shape.red
      pixels[at + 1] = shape.green
      pixels[at + 2] = shape.blue
    }
  }
}

/** Shapes that bounce between the edges of a grey picture. */
export function shapesScene(box: Letterbox, seed: number): Scene {
  const shapes = shapesOf(box, seededRandom(seed))
  return {
    box,
    draw: (pixels, index) => {
      for (let y = 0; y < box.scaledHeight; y++) {
        const start = ((box.padTop + y) * box.inputWidth + box.padLeft) * 3
        pixels.fill(32 + Math.floor((64 * y) / box.scaledHeight), start, start + box.scaledWidth * 3)
      }
      for (const shape of shapes) drawShape(shape, index, box, pixels)
    },
  }
}

const zooms = [1.02, 1.1, 1.2, 1.3] as const
const framesPerZoom = 30

/** A window that wanders over enlarged copies of a picture. The copies are made once; a frame is a copy of rows. */
export function panScene(picture: RgbPicture, box: Letterbox): Scene {
  const levels = zooms.map((zoom) => {
    const width = Math.ceil(box.scaledWidth * zoom)
    const height = Math.ceil(box.scaledHeight * zoom)
    const data = new Uint8Array(width * height * 3)
    resizeBilinear(picture, { data, rowWidth: width, left: 0, top: 0, width, height })
    return { data, width, height }
  })
  return {
    box,
    draw: (pixels, index) => {
      const position = Math.floor(bounced(0, 1 / framesPerZoom, index, levels.length - 1) + 0.5)
      const level = levels[position]!
      const left = Math.round((level.width - box.scaledWidth) * (0.5 + 0.5 * Math.sin(index / 17)))
      const top = Math.round((level.height - box.scaledHeight) * (0.5 + 0.5 * Math.cos(index / 23)))
      for (let y = 0; y < box.scaledHeight; y++) {
        const from = ((top + y) * level.width + left) * 3
        const to = ((box.padTop + y) * box.inputWidth + box.padLeft) * 3
        pixels.set(level.data.subarray(from, from + box.scaledWidth * 3), to)
      }
    },
  }
}

async function picturesOf(context: SourceContext): Promise<string[]> {
  const { target, label } = context.address
  if (target === '') return []
  const path = resolve(target)
  const found = await stat(path).catch((thrown: unknown) => {
    throw sourceInvalid(label, messageOf(thrown))
  })
  if (found.isDirectory()) return listImages(path)
  if (!isImagePath(path)) throw sourceInvalid(label, `${path} is no picture`)
  return [path]
}

/** Builds the source. Rejects with `camera.source_invalid` or `image.decode_failed` when the given picture cannot be shown. */
export async function syntheticSource(context: SourceContext): Promise<FrameSource> {
  const { address, clock } = context
  const { size = defaults, seed = defaults.seed } = address.options
  const pictures = await picturesOf(context)
  const fps = context.fpsMax ?? (context.mode === 'live' ? defaults.fps : undefined)
  const sceneAt = async (turn: number, ring: FrameRing): Promise<Scene> => {
    const input = { width: ring.inputWidth, height: ring.inputHeight }
    const path = pictures[turn % Math.max(1, pictures.length)]
    if (path === undefined) return shapesScene(letterbox(size, input), seed)
    const picture = await readRgb(path)
    return panScene(picture, letterbox(picture, input))
  }
  return {
    label: address.label,
    isEndless: true,
    run: async (ring, signal) => {
      const pace = new Pace(fps, clock)
      let scene = await sceneAt(0, ring)
      for (let index = 0; !signal.aborted; index++) {
        if (pictures.length > 1 && index > 0 && index % framesPerPicture === 0)
          scene = await sceneAt(index / framesPerPicture, ring)
        await pace.wait(signal)
        const slot = await ring.begin(scene.box, signal)
        if (slot === undefined) return
        scene.draw(slot.pixels, index)
        ring.commit(slot, clock.wallMs())
      }
    },
  }
}
