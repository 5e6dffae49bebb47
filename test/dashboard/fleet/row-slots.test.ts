import t from 'tap'
import { seededRandom } from '../../../src/base/random.js'
import { RowSlots } from '../../../src/dashboard/fleet/row-slots.js'

t.test('what stays in sight keeps its slot; what comes takes those that were left', (t) => {
  const slots = new RowSlots()
  t.same(slots.assign(['a', 'b', 'c']), [0, 1, 2])
  t.same(slots.assign(['b', 'c', 'd']), [1, 2, 0])
  t.same(slots.assign(['d', 'b', 'c']), [0, 1, 2], 'another order, the same slots')
  t.same(slots.assign(['x', 'y', 'z']), [0, 1, 2], 'a jump')
  t.same(slots.assign([]), [])
  t.same(slots.assign(['z', 'y']), [0, 1])
  t.end()
})

t.test('any scrolling, sorting and resizing leaves one slot a row and no gap', (t) => {
  const random = seededRandom(1)
  const slots = new RowSlots()
  let before = new Map<string, number>()
  for (let turn = 0; turn < 500; turn++) {
    const [start, count] = [random.integer(60), random.integer(20)]
    const names = Array.from({ length: count }, (_, at) => `device ${start + at}`)
    if (turn % 3 === 0) names.reverse()
    const assigned = slots.assign(names)
    t.same(
      assigned.toSorted((one, other) => one - other),
      [...names.keys()],
    )
    for (const [at, name] of names.entries()) {
      const known = before.get(name)
      if (known !== undefined && known < count) t.equal(assigned[at], known)
    }
    before = new Map(names.map((name, at) => [name, assigned[at]!]))
  }
  t.end()
})
