/**
 * Writes the conveyor data set: drawn pictures of parts with their labels, as a YOLO data set.
 * Invariant: the same seed gives the same scenes; no scene is in two splits.
 */

import { join } from 'node:path'
import { createFolderAtomic, writeFileAtomic } from '../../base/atomic-file.js'
import { savePicture } from '../../camera/save-picture.js'
import { drawScene } from '../../training/conveyor/draw-scene.js'
import { partNames } from '../../training/conveyor/part-shapes.js'
import { planScene } from '../../training/conveyor/scene.js'
import type { TargetBox } from '../../training/loss/assign-targets.js'

export interface ConveyorOptions {
  /** Pictures by split. */
  readonly counts: Readonly<Record<'train' | 'val' | 'golden', number>>
  /** Side of the square pictures, pixels. */
  readonly size: number
  readonly seed: number
}

/** Scenes of one seed are numbered below this; the next seed's begin behind. */
const scenesPerSeed = 1_000_000

/** Writes `folder`, which must not exist or be empty. */
export async function writeConveyor(
  folder: string,
  { counts, size, seed }: ConveyorOptions,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  const total = counts.train + counts.val + counts.golden
  let scene = 0
  await createFolderAtomic(folder, async (into) => {
    for (const split of ['train', 'val', 'golden'] as const) {
      for (let index = 0; index < counts[split]; index++) {
        const { pixels, targets } = drawScene(planScene(seed * scenesPerSeed + scene++), size, size)
        const name = String(index).padStart(5, '0')
        const picture = { data: pixels, width: size, height: size }
        await savePicture(join(into, split, 'images', `${name}.jpg`), picture, [], [])
        await writeFileAtomic(join(into, split, 'labels', `${name}.txt`), labelText(targets, size))
        onProgress(scene, total)
      }
    }
    await writeFileAtomic(join(into, 'data.yaml'), describeData())
  })
}

function labelText(targets: readonly TargetBox[], size: number): string {
  return targets
    .map(({ classIndex, x1, y1, x2, y2 }) => {
      const shares = [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1].map((value) =>
        (value / size).toFixed(6),
      )
      return `${classIndex} ${shares.join(' ')}\n`
    })
    .join('')
}

/** The description that Ultralytics' tools and this program read. */
function describeData(): string {
  const names = partNames.map((name, index) => `  ${index}: ${name}`)
  return ['train: train/images', 'val: val/images', 'names:', ...names, ''].join('\n')
}
