import { readFileSync } from 'node:fs'
import t from 'tap'
import type { TargetBox } from '../../../src/training/loss/assign-targets.js'
import { detectionLoss } from '../../../src/training/loss/detection-loss.js'
import type { HeadShape } from '../../../src/training/loss/head-batch.js'
import { fixture } from '../../helpers/paths.js'

const levels = [8, 16, 32].map((stride, index) => ({
  stride,
  box: `p${index + 3}_box`,
  cls: `p${index + 3}_cls`,
}))

interface Reference {
  readonly width: number
  readonly height: number
  readonly classes: number
  readonly batch: number
  readonly targets: readonly (readonly [number, number, number, number, number, number])[]
  readonly box: number
  readonly cls: number
  readonly dfl: number
  readonly total: number
  readonly gradients: Readonly<Record<string, string>>
}

/** The formula of the script that made the reference. */
function headOf(batch: number, channels: number, cells: number, phase: number): Float32Array {
  return Float32Array.from({ length: batch * channels * cells }, (_, i) => {
    const wave = 1.5 * Math.sin(0.37 * i + 0.0011 * i * (i % 97) + phase)
    return channels === 64 ? wave - 0.6 * Math.abs((Math.floor(i / cells) % 16) - 3) : wave - 2
  })
}

function headsOf(shape: HeadShape): Map<string, Float32Array> {
  return new Map(
    shape.levels.flatMap(({ stride, box, cls }, level) => {
      const cells = (shape.inputWidth / stride) * (shape.inputHeight / stride)
      return [
        [box, headOf(shape.batch, 64, cells, 0.1 + level)],
        [cls, headOf(shape.batch, shape.classCount, cells, 0.6 + level)],
      ] as const
    }),
  )
}

t.test('losses and gradients are those of Ultralytics on the same numbers', (t) => {
  const reference = JSON.parse(readFileSync(fixture('training', 'detection-loss.json'), 'utf8')) as Reference
  const shape: HeadShape = {
    batch: reference.batch,
    classCount: reference.classes,
    inputWidth: reference.width,
    inputHeight: reference.height,
    levels,
  }
  const targets = Array.from({ length: shape.batch }, (_, image) =>
    reference.targets
      .filter(([of]) => of === image)
      .map(([, classIndex, x1, y1, x2, y2]): TargetBox => ({ classIndex, x1, y1, x2, y2 })),
  )
  const { loss, gradients } = detectionLoss(shape, headsOf(shape), targets)
  for (const part of ['box', 'cls', 'dfl', 'total'] as const) {
    const error = Math.abs(loss[part] - reference[part]) / reference[part]
    t.ok(error < 1e-5, `${part}: ${loss[part]}, expected ${reference[part]}`)
  }
  for (const [name, encoded] of Object.entries(reference.gradients)) {
    const expected = new Float32Array(new Uint8Array(Buffer.from(encoded, 'base64')).buffer)
    const found = gradients.get(name)!
    const largest = expected.reduce((most, each) => Math.max(most, Math.abs(each)), 0)
    const error = expected.reduce((most, each, at) => Math.max(most, Math.abs(each - found[at]!)), 0)
    t.equal(found.length, expected.length)
    t.ok(error < 1e-4 * Math.max(largest, 1e-3), `${name}: ${error} of ${largest}`)
  }
  t.end()
})

t.test('without objects only the class scores are pushed down', (t) => {
  const shape: HeadShape = { batch: 1, classCount: 2, inputWidth: 64, inputHeight: 64, levels }
  const { loss, gradients } = detectionLoss(shape, headsOf(shape), [[]])
  t.equal(loss.box, 0)
  t.equal(loss.dfl, 0)
  for (const { box, cls } of levels) {
    t.ok(gradients.get(box)!.every((each) => each === 0))
    t.ok(gradients.get(cls)!.every((each) => each > 0))
  }
  t.end()
})
