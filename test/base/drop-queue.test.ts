import t from 'tap'
import { DropQueue } from '../../src/base/drop-queue.js'

t.test('entries come out in the order they went in', (t) => {
  const queue = new DropQueue<number>(3)
  queue.push(1)
  queue.push(2)
  t.equal(queue.take(), 1)
  t.equal(queue.take(), 2)
  t.equal(queue.take(), undefined)
  t.end()
})

t.test('a full queue drops the oldest and counts it', (t) => {
  const queue = new DropQueue<number>(2)
  t.same(
    [1, 2, 3, 4].map((value) => queue.push(value)),
    [undefined, undefined, 1, 2],
  )
  t.equal(queue.dropped, 2)
  t.equal(queue.size, 2)
  t.equal(queue.take(), 3)
  t.end()
})

t.test('a capacity that is no positive integer is a programmer error', (t) => {
  for (const capacity of [0, -1, 1.5, Number.NaN]) {
    t.throws(() => new DropQueue(capacity), { code: 'internal.invariant_broken' })
  }
  t.end()
})
