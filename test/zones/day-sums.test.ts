import t from 'tap'
import { DaySums } from '../../src/zones/day-sums.js'

const hour = 3_600_000
const day = 24 * hour
/** Noon, local time. */
const noon = new Date(2026, 5, 10, 12).getTime()

const count = (sums: DaySums, times = 1): void => {
  for (let time = 0; time < times; time++) sums.of('gate', 'bolt')[0]++
}
const countedIn = (sums: DaySums): number => sums.classesOf('gate').get('bolt')?.[0] ?? 0

t.test('a new day begins at midnight; what was counted survives a restart', (t) => {
  const sums = new DaySums(undefined, noon, 0)
  count(sums, 3)
  const again = new DaySums(JSON.parse(JSON.stringify(sums.saved())), noon + hour, 0)
  t.equal(again.date, '2026-06-10')
  t.equal(countedIn(again), 3)
  t.notOk(again.keepTime(noon + 11.9 * hour, 10.9 * hour))
  t.ok(again.keepTime(noon + 12.1 * hour, 11.1 * hour))
  t.equal(countedIn(again), 0)
  count(again)
  const next = new DaySums(again.saved(), noon + 13 * hour, 0)
  t.equal(countedIn(next), 1)
  t.equal(next.saved().days.length, 2, 'the day before is kept')
  t.end()
})

t.test('a clock that is not set yet does not end the day', (t) => {
  const sums = new DaySums(undefined, noon, 0)
  count(sums, 5)
  const started = new DaySums(sums.saved(), 0, 100)
  count(started)
  t.equal(started.date, '2026-06-10', 'a start in 1970')
  started.keepTime(noon + 60_000, 30_000)
  t.equal(countedIn(started), 6)
  t.end()
})

t.test('a clock that is set forward by mistake and back costs nothing', (t) => {
  const sums = new DaySums(undefined, noon, 0)
  count(sums, 5)
  t.ok(sums.keepTime(noon + 900 * day, 1000))
  count(sums, 2)
  t.notOk(sums.keepTime(noon, 2000), 'not believed at once')
  count(sums)
  t.notOk(sums.keepTime(noon + hour / 2, hour / 2))
  t.ok(sums.keepTime(noon + 1.1 * hour, 1.1 * hour), 'it has held for an hour')
  t.equal(sums.date, '2026-06-10')
  t.equal(countedIn(sums), 5)
  const all = sums.saved().days.flatMap(({ entries }) => entries.map((entry) => entry[2]))
  t.equal(
    all.reduce((sum, each) => sum + each, 0),
    8,
    'nothing is lost',
  )
  t.end()
})

t.test('eight days are kept, and what is no record counts as nothing', (t) => {
  const sums = new DaySums(undefined, noon, 0)
  for (let index = 0; index < 12; index++) {
    sums.keepTime(noon + index * day, index * day)
    count(sums)
  }
  t.equal(sums.saved().days.length, 8)
  for (const saved of [null, 5, [], { days: 1 }, { days: [null, { date: 'x', entries: [] }] }])
    t.equal(countedIn(new DaySums(saved, noon, 0)), 0)
  const odd = {
    days: [{ date: '2026-06-10', entries: [['gate', 'bolt', 4, -1, 0], ['gate', 'nut', 1, 1, 1], 7] }],
  }
  const read = new DaySums(odd, noon, 0)
  t.same([...read.classesOf('gate')], [['nut', [1, 1, 1]]])
  t.end()
})
