import t from 'tap'
import { seededRandom } from '../../../src/base/random.js'
import { makeBatch } from '../../../src/training/data/batch-maker.js'
import { composePicture, noAugmentation } from '../../../src/training/data/compose-picture.js'
import type { Sample } from '../../../src/training/ports.js'

const size = { width: 64, height: 48 }

/** A black picture with one white rectangle, which is its target. */
function rectangle(x1: number, y1: number, x2: number, y2: number): Sample {
  const pixels = new Uint8Array(3 * size.width * size.height)
  for (let y = y1; y < y2; y++) pixels.fill(255, 3 * (y * size.width + x1), 3 * (y * size.width + x2))
  return { pixels, targets: [{ classIndex: 1, x1, y1, x2, y2 }] }
}

function composed(
  sample: Sample,
  options: Parameters<typeof composePicture>[3],
  seed: number,
): { targets: ReturnType<typeof composePicture>; picture: Float32Array } {
  const picture = new Float32Array(3 * size.width * size.height)
  const targets = composePicture(
    () => sample,
    size,
    seededRandom(seed),
    { ...noAugmentation, ...options },
    picture,
  )
  return { targets, picture }
}

/** The smallest rectangle around what is brighter than the padding. */
function brightBox(picture: Float32Array): { x1: number; y1: number; x2: number; y2: number } {
  let [x1, y1, x2, y2] = [Infinity, Infinity, -Infinity, -Infinity]
  for (let y = 0; y < size.height; y++)
    for (let x = 0; x < size.width; x++) {
      if (picture[y * size.width + x]! < 0.6) continue
      ;[x1, y1, x2, y2] = [Math.min(x1, x), Math.min(y1, y), Math.max(x2, x + 1), Math.max(y2, y + 1)]
    }
  return { x1, y1, x2, y2 }
}

t.test('without augmentation the picture and its targets stay as they are', (t) => {
  const sample = rectangle(10, 8, 30, 20)
  const { targets, picture } = composed(sample, {}, 1)
  t.same(targets, sample.targets)
  t.same(
    picture,
    Float32Array.from(
      picture,
      (_, at) => sample.pixels[3 * (at % (64 * 48)) + Math.floor(at / (64 * 48))]! / 255,
    ),
  )
  t.end()
})

t.test('a mirrored picture has mirrored targets', (t) => {
  const sample = rectangle(10, 8, 30, 20)
  const { targets, picture } = composed(sample, { flipLeftRight: 1, flipUpDown: 1 }, 1)
  t.same(targets, [{ classIndex: 1, x1: 34, y1: 28, x2: 54, y2: 40 }])
  t.same(brightBox(picture), { x1: 34, y1: 28, x2: 54, y2: 40 })
  t.end()
})

t.test('targets stay on their objects under any change', (t) => {
  const sample = rectangle(20, 12, 44, 36)
  for (let seed = 1; seed <= 40; seed++) {
    const { targets, picture } = composed(
      sample,
      { scale: 0.5, translate: 0.2, flipLeftRight: 0.5, brightness: 0 },
      seed,
    )
    if (targets.length === 0) continue
    const found = brightBox(picture)
    for (const side of ['x1', 'y1', 'x2', 'y2'] as const)
      t.ok(Math.abs(found[side] - targets[0]![side]) <= 1.01, `seed ${seed} ${side}`)
  }
  t.end()
})

t.test('in a mosaic each target covers a bright piece', (t) => {
  const sample = rectangle(8, 6, 56, 42)
  let shown = 0
  for (let seed = 1; seed <= 20; seed++) {
    const { targets, picture } = composed(sample, { mosaic: 1, scale: 0.3 }, seed)
    for (const { x1, y1, x2, y2 } of targets) {
      shown++
      const x = Math.floor((x1 + x2) / 2)
      const y = Math.floor((y1 + y2) / 2)
      t.ok(picture[y * size.width + x]! > 0.9)
    }
  }
  t.ok(shown > 30, `${shown} targets`)
  t.end()
})

t.test('a batch depends on its seed and step only, and an epoch shows every picture once', (t) => {
  const samples = [
    rectangle(2, 2, 12, 12),
    rectangle(20, 2, 30, 12),
    rectangle(40, 2, 50, 12),
    rectangle(2, 20, 12, 30),
  ]
  const options = { batch: 2, size, seed: 4, augmentation: noAugmentation }
  const first = makeBatch(samples, 1, options)
  makeBatch(samples, 9, options)
  t.same(makeBatch(samples, 1, options), first)
  const epoch = [1, 2].flatMap((step) =>
    makeBatch(samples, step, options).targets.map(([box]) => `${box!.x1},${box!.y1}`),
  )
  t.same(epoch.sort(), samples.map(({ targets: [box] }) => `${box!.x1},${box!.y1}`).sort())
  t.end()
})
