import t from 'tap'
import { seededRandom } from '../../../src/base/random.js'
import { attentionLoss, type FeaturePair } from '../../../src/training/loss/attention-loss.js'

const batch = 2
const pairs: readonly FeaturePair[] = [
  { own: 'a', teacher: 'x', cells: 12 },
  { own: 'b', teacher: 'y', cells: 6 },
]

function features(seed: number, names: readonly string[], channels: number): Map<string, Float32Array> {
  const random = seededRandom(seed)
  return new Map(
    pairs.map(({ cells }, index) => [
      names[index]!,
      Float32Array.from({ length: batch * channels * cells }, () => random.normal()),
    ]),
  )
}

t.test('a network that looks at the same places has nothing to learn, however strongly it sees them', (t) => {
  const own = features(1, ['a', 'b'], 4)
  const louder = new Map([
    ['x', own.get('a')!.map((value) => -3 * value)],
    ['y', own.get('b')!.map((value) => 2 * value)],
  ])
  const { loss, gradients } = attentionLoss(batch, pairs, own, louder)
  t.ok(Math.abs(loss.total) < 1e-6)
  for (const gradient of gradients.values()) t.ok(gradient.every((each) => Math.abs(each) < 1e-6))
  t.end()
})

t.test('the gradient is that of finite differences, with other channels in the teacher', (t) => {
  const own = features(2, ['a', 'b'], 4)
  const teacher = features(3, ['x', 'y'], 7)
  const { loss, gradients } = attentionLoss(batch, pairs, own, teacher)
  t.ok(Math.abs(loss.total - batch * loss.neck) < 1e-9)
  for (const [name, gradient] of gradients) {
    const values = own.get(name)!
    for (let at = 0; at < values.length; at += 5) {
      const lossAt = (change: number): { total: number; value: number } => {
        const moved = values.slice()
        moved[at]! += change
        const changed = new Map([...own, [name, moved]])
        return { total: attentionLoss(batch, pairs, changed, teacher).loss.total, value: moved[at]! }
      }
      const [up, down] = [lossAt(0.003), lossAt(-0.003)]
      const expected = (up.total - down.total) / (up.value - down.value)
      const error = Math.abs(expected - gradient[at]!)
      t.ok(error < 1e-3 * Math.abs(expected) + 1e-5, `${name}[${at}]: ${gradient[at]}, expected ${expected}`)
    }
  }
  t.end()
})

t.test('a picture in which one of the two sees nothing is left out', (t) => {
  const nothing = new Map([...features(1, ['a', 'b'], 4)].map(([name, data]) => [name, data.map(() => 0)]))
  const { loss, gradients } = attentionLoss(batch, pairs, nothing, features(3, ['x', 'y'], 7))
  t.equal(loss.total, 0)
  for (const gradient of gradients.values()) t.ok(gradient.every((each) => each === 0))
  t.end()
})
