/**
 * The project's own model and what the demo shows to it: parts that move over a conveyor, with the truth about each picture.
 * Invariant: picture n of the loop is the same on every machine, and none of its scenes was learned from.
 */

import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AgentError, messageOf } from '../../base/errors.js'
import { savePicture } from '../../camera/save-picture.js'
import type { GroundTruth } from '../../evaluation/ground-truth.js'
import { drawScene } from '../../training/conveyor/draw-scene.js'
import { planScene } from '../../training/conveyor/scene.js'
import { defaultGoldenImages } from '../bundle/published-bundle.js'
import { writeConveyor } from '../training/write-conveyor.js'

const side = 320
const scenes = 12
const picturesPerScene = 10
/** What a part moves between two pictures, in shorter sides. */
const step = 0.02
/** Far above the scenes of the data sets that `generate` makes with small seeds. */
const firstScene = 4_000_000_000
const picturesASecond = 15
/** Its scenes are neither those of the loop nor of a data set that `generate` makes with a small seed. */
const goldenSeed = 3999

/** A source that plays in a loop. */
export interface ConveyorSource {
  /** For the camera. */
  readonly uri: string
  readonly pictures: number
  /** By picture of the loop; the first frame of a source is number 1. */
  readonly truthOf: (frameId: number) => {
    readonly picture: number
    readonly groundTruths: readonly GroundTruth[]
  }
}

/** Draws the pictures into `folder`, which must not exist. */
export async function drawConveyor(
  folder: string,
  onProgress: (done: number, total: number) => void,
): Promise<ConveyorSource> {
  const total = scenes * picturesPerScene
  const truths: (readonly GroundTruth[])[] = []
  await mkdir(folder)
  for (let index = 0; index < total; index++) {
    const scene = planScene(firstScene + Math.floor(index / picturesPerScene))
    const shift = ((index % picturesPerScene) - picturesPerScene / 2) * step
    const { pixels, targets } = drawScene(scene, side, side, shift)
    const path = join(folder, `${String(index).padStart(4, '0')}.jpg`)
    await savePicture(path, { data: pixels, width: side, height: side }, [], [])
    truths.push(targets.map((box) => ({ ...box, area: (box.x2 - box.x1) * (box.y2 - box.y1), crowd: false })))
    onProgress(index + 1, total)
  }
  return {
    uri: `${folder}#loop=true&fps=${picturesASecond}`,
    pictures: total,
    truthOf: (frameId) => {
      const picture = (frameId - 1) % total
      return { picture, groundTruths: truths[picture]! }
    },
  }
}

/** Draws a golden set into `folder`, which must not exist; returns the path of the data set. */
export async function drawGoldenSet(folder: string): Promise<string> {
  const counts = { train: 0, val: 0, golden: defaultGoldenImages }
  await writeConveyor(folder, { counts, size: side, seed: goldenSeed }, () => undefined)
  return join(folder, 'golden')
}

/** The variants of the project's own model, as they lie in the package; the float one first. */
export async function ownModel(): Promise<readonly string[]> {
  const folder = fileURLToPath(new URL('../../../../models/parts', import.meta.url))
  const names = await readdir(folder).catch((thrown: unknown) => {
    throw new AgentError(
      'model.file_unreadable',
      `cannot read the project's own model: ${messageOf(thrown)}`,
      {
        cause: thrown,
        hint: 'name one with --model FILE.onnx',
      },
    )
  })
  return names
    .filter((name) => name.endsWith('.onnx'))
    .sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
    .map((name) => join(folder, name))
}
