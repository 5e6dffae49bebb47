import t from 'tap'
import { nextWithin, parseWeeklyHours } from '../../src/base/weekly-hours.js'

const spansOf = (...texts: string[]) => texts.map((text) => parseWeeklyHours(text)!)
/** A Wednesday, in local time. */
const wednesday = (hours: number, minutes = 0): number => new Date(2026, 6, 15, hours, minutes).getTime()

t.test('days and hours are read; an end that is not later lies on the next day', (t) => {
  t.same(parseWeeklyHours('22:00-05:30'), {
    days: new Set([0, 1, 2, 3, 4, 5, 6]),
    startMinute: 1320,
    endMinute: 1770,
  })
  t.same(parseWeeklyHours('Fri-Mon,wed 00:00 - 24:00'), {
    days: new Set([5, 6, 0, 1, 3]),
    startMinute: 0,
    endMinute: 1440,
  })
  for (const text of [
    '',
    '22-23',
    '22:00',
    '25:00-26:00',
    '10:60-11:00',
    '10:00-10:00',
    '24:00-01:00',
    'mo 1:00-2:00',
  ])
    t.equal(parseWeeklyHours(text), undefined, text)
  for (const days of ['mon-', '-fri', 'mon-tue-wed', 'someday', ','])
    t.equal(parseWeeklyHours(`${days} 01:00-02:00`), undefined, days)
  t.end()
})

t.test('the next moment within the hours: now, later today, or in days', (t) => {
  const from = wednesday(12)
  t.equal(nextWithin([], from), undefined)
  t.equal(nextWithin(spansOf('11:00-13:00'), from), from)
  t.equal(nextWithin(spansOf('22:00-05:00'), from), wednesday(22))
  t.equal(nextWithin(spansOf('22:00-05:00'), wednesday(4, 59)), wednesday(4, 59), 'the span of yesterday')
  t.equal(nextWithin(spansOf('22:00-05:00'), wednesday(5)), wednesday(22), 'its end is outside')
  t.equal(nextWithin(spansOf('tue 22:00-05:00'), wednesday(4)), wednesday(4))
  t.equal(nextWithin(spansOf('wed 11:00-12:00'), from), wednesday(24 * 7 + 11), 'the same day a week later')
  t.equal(nextWithin(spansOf('sun 03:00-04:00', 'fri 01:00-02:00'), from), wednesday(48 + 1))
  t.end()
})

t.test('every minute of a week is within one of two spans that divide it', (t) => {
  const day = spansOf('06:00-18:00')
  const night = spansOf('18:00-06:00')
  let both = 0
  for (let minute = 0; minute < 7 * 24 * 60; minute += 7) {
    const at = wednesday(0, minute)
    if ((nextWithin(day, at) === at) === (nextWithin(night, at) === at)) both++
  }
  t.equal(both, 0)
  t.end()
})
