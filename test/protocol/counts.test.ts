import t from 'tap'
import { type Counts, encodeCounts, parseCounts } from '../../src/protocol/counts.js'

const counts: Counts = {
  at: '2026-01-01T00:00:00.000Z',
  day: '2026-01-01',
  zones: [
    {
      ...{ name: 'dock', objects: 1, occupiedSince: '2026-01-01T00:00:00.000Z' },
      ...{ entered: 2, left: 1, meanDwellMs: 1500 },
      classes: [{ class: 'bolt', objects: 1, entered: 2, left: 1 }],
    },
  ],
  lines: [{ name: 'gate', forward: 3, backward: 1, classes: [{ class: 'bolt', forward: 3, backward: 1 }] }],
}

t.test('counts come back as they were written', (t) => {
  t.same(parseCounts(encodeCounts(counts)), counts)
  t.end()
})

t.test('what is wrong is refused by the name of its field', (t) => {
  const refused = (change: object, message: RegExp): void => {
    t.throws(() => encodeCounts({ ...counts, ...change }), { code: 'protocol.payload_malformed', message })
  }
  refused({ day: 'today' }, /day is "today", expected a day such as 2026-01-31/)
  refused({ zones: [{ ...counts.zones[0], name: 'a/b' }] }, /zones\[0\]\.name is "a\/b"/)
  refused(
    { lines: [{ ...counts.lines[0], forward: -1 }] },
    /lines\[0\]\.forward is -1, expected a whole number/,
  )
  refused(
    { lines: Array.from({ length: 17 }, () => counts.lines[0]) },
    /lines is .*, expected at most 16 items/,
  )
  t.end()
})
