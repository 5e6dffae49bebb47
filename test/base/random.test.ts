import t from 'tap'
import { seededRandom, shuffle } from '../../src/base/random.js'

t.test('the same seed gives the same sequence, another seed another', (t) => {
  const draw = (seed: number): number[] => {
    const random = seededRandom(seed)
    return Array.from({ length: 20 }, () => random.next())
  }
  t.same(draw(7), draw(7))
  t.notSame(draw(7), draw(8))
  t.end()
})

t.test('uniform, integer and normal draws have their ranges and moments', (t) => {
  const random = seededRandom(1)
  const uniform = Array.from({ length: 20_000 }, () => random.next())
  t.ok(uniform.every((value) => value >= 0 && value < 1))
  t.ok(Math.abs(mean(uniform) - 0.5) < 0.01)
  const counts = new Map<number, number>()
  for (let index = 0; index < 6000; index++) {
    const face = random.integer(6)
    counts.set(face, (counts.get(face) ?? 0) + 1)
  }
  t.same([...counts.keys()].sort(), [0, 1, 2, 3, 4, 5])
  t.ok([...counts.values()].every((count) => count > 850 && count < 1150))
  const normal = Array.from({ length: 20_000 }, () => random.normal())
  t.ok(Math.abs(mean(normal)) < 0.03)
  t.ok(Math.abs(mean(normal.map((value) => value * value)) - 1) < 0.05)
  t.end()
})

t.test('a shuffle keeps every element', (t) => {
  const values = Array.from({ length: 50 }, (_, index) => index)
  const shuffled = shuffle([...values], seededRandom(3))
  t.notSame(shuffled, values)
  t.same(
    [...shuffled].sort((a, b) => a - b),
    values,
  )
  t.end()
})

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
