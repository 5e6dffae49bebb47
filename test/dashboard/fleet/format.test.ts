import t from 'tap'
import { classLabel } from '../../../src/dashboard/fleet/class-look.js'
import { bytes, duration, figure, milliseconds, percent, words } from '../../../src/dashboard/fleet/format.js'

t.test('figures as people read them', (t) => {
  t.same([figure(3.14159, 2), figure(undefined), figure(Number.NaN)], ['3.14', '–', '–'])
  t.same([milliseconds(3.21), milliseconds(74.4), milliseconds(12_345)], ['3.2', '74', '12.3k'])
  t.same(
    [
      duration(42_000),
      duration(7 * 60_000),
      duration(5 * 3_600_000),
      duration(12 * 86_400_000),
      duration(-5),
      duration(Number.NaN),
    ],
    ['42 s', '7 min', '5 h', '12 d', '0 s', '–'],
  )
  t.same(
    [bytes(512), bytes(1536), bytes(3 * 1024 ** 3), bytes(undefined), bytes(Number.NaN)],
    ['512 B', '1.5 KiB', '3.0 GiB', '–', '–'],
  )
  t.same([percent(0.256), percent(undefined)], ['26 %', '–'])
  t.equal(words('rollingBack'), 'rolling back')
  t.end()
})

t.test('a class has one colour and one name, known or not', (t) => {
  const labels = [{ classIndex: 0 }, { classIndex: 7 }, { classIndex: 0, className: 'nut' }]
  t.same(
    labels.map((found) => classLabel(found, ['bolt'])),
    ['bolt', 'class 7', 'nut'],
    'what the message says counts first',
  )
  t.equal(classLabel({ classIndex: 0 }, ['x'.repeat(500)]).length, 40)
  t.end()
})
