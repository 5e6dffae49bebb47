import t from 'tap'
import { seededRandom } from '../../../src/base/random.js'
import { addLosses, distillationLoss } from '../../../src/training/loss/distillation-loss.js'
import type { HeadShape } from '../../../src/training/loss/head-batch.js'

const shape: HeadShape = {
  batch: 2,
  classCount: 3,
  inputWidth: 64,
  inputHeight: 32,
  levels: [8, 16, 32].map((stride, index) => ({
    stride,
    box: `p${index + 3}_box`,
    cls: `p${index + 3}_cls`,
  })),
}

function heads(seed: number): Map<string, Float32Array> {
  const random = seededRandom(seed)
  return new Map(
    shape.levels.flatMap(({ stride, box, cls }) => {
      const cells = (shape.inputWidth / stride) * (shape.inputHeight / stride) * shape.batch
      return [
        [box, Float32Array.from({ length: 64 * cells }, () => random.normal())],
        [cls, Float32Array.from({ length: shape.classCount * cells }, () => random.normal() - 1)],
      ] as const
    }),
  )
}

t.test('where both say the same there is nothing to learn', (t) => {
  const { loss, gradients } = distillationLoss(shape, heads(1), heads(1))
  t.ok(Math.abs(loss.total) < 1e-9)
  for (const gradient of gradients.values()) t.ok(gradient.every((each) => Math.abs(each) < 1e-9))
  t.end()
})

t.test('the gradient is that of finite differences', (t) => {
  const own = heads(2)
  const teacher = heads(3)
  const { gradients } = distillationLoss(shape, own, teacher)
  const random = seededRandom(4)
  for (const [name, gradient] of gradients) {
    for (let count = 0; count < 8; count++) {
      const at = random.integer(gradient.length)
      // A step that single precision can express: the real difference is taken from the stored values.
      const lossAt = (change: number): { total: number; value: number } => {
        const moved = own.get(name)!.slice()
        moved[at]! += change
        return {
          total: distillationLoss(shape, new Map([...own, [name, moved]]), teacher).loss.total,
          value: moved[at]!,
        }
      }
      const [up, down] = [lossAt(0.01), lossAt(-0.01)]
      const expected = (up.total - down.total) / (up.value - down.value)
      const error = Math.abs(expected - gradient[at]!)
      t.ok(error < 1e-3 * Math.abs(expected) + 1e-6, `${name}[${at}]: ${gradient[at]}, expected ${expected}`)
    }
  }
  t.end()
})

t.test('losses add up', (t) => {
  const first = distillationLoss(shape, heads(2), heads(3))
  const second = distillationLoss(shape, heads(2), heads(5))
  const [before, other] = [first.gradients.get('p3_cls')![7]!, second.gradients.get('p3_cls')![7]!]
  const sum = addLosses(first, second)
  t.ok(Math.abs(sum.loss.total - first.loss.total - second.loss.total) < 1e-9)
  t.ok(Math.abs(sum.gradients.get('p3_cls')![7]! - before - other) < 1e-6)
  t.end()
})
