import t from 'tap'
import { parseAvailability } from '../../src/protocol/availability.js'
import type { Desired, Rollout } from '../../src/protocol/desired.js'
import { decideRollout, rolloutBucket } from '../../src/protocol/rollout.js'
import { neverAt, phaseOf, termsOf } from '../../src/protocol/rollout-phase.js'

const atMs = Date.parse('2026-01-31T12:00:00.000Z')

function wish(rollout?: Partial<Rollout>): Desired {
  return {
    target: { kind: 'channel', name: 'stable' },
    model: 'parts',
    version: '2.0.0',
    sequence: 7,
    createdAt: '2026-01-01T00:00:00Z',
    ...(rollout !== undefined && { rollout: { percent: 50, salt: 's', ...rollout } }),
  }
}

t.test('devices are spread evenly over 0 to 100, fixed by name and salt', (t) => {
  const buckets = Array.from({ length: 2000 }, (_, index) => rolloutBucket(`cam-${index}`, 's'))
  t.ok(buckets.every((bucket) => bucket >= 0 && bucket < 100))
  for (const percent of [10, 50, 90]) {
    const share = (100 * buckets.filter((bucket) => bucket < percent).length) / buckets.length
    t.ok(Math.abs(share - percent) < 5, `${share} % of the devices below ${percent}`)
  }
  t.equal(rolloutBucket('cam-1', 's'), buckets[1])
  t.not(rolloutBucket('cam-1', 't'), buckets[1])
  t.end()
})

t.test('a device follows when it is inside the share and the time has come', (t) => {
  const bucket = rolloutBucket('cam-1', 's')
  t.same(decideRollout(wish(), 'cam-1', atMs), { follows: true })
  t.same(decideRollout(wish({ percent: bucket }), 'cam-1', atMs), {
    follows: false,
    reason: 'outside_percent',
    bucket,
  })
  t.same(decideRollout(wish({ percent: bucket + 0.001 }), 'cam-1', atMs), { follows: true })
  const later = (ms: number): Desired => wish({ percent: 100, notBefore: new Date(atMs + ms).toISOString() })
  t.same(decideRollout(later(5000), 'cam-1', atMs), { follows: false, reason: 'not_yet', waitMs: 5000 })
  t.same(decideRollout(later(0), 'cam-1', atMs), { follows: true })
  t.same(decideRollout(later(-1), 'cam-1', atMs), { follows: true })
  t.end()
})

t.test('where a rollout stands', (t) => {
  t.same(termsOf(wish()), { percent: 100, salt: '7' })
  t.equal(phaseOf(wish(), atMs), 'running')
  t.equal(phaseOf(wish({ notBefore: new Date(atMs).toISOString() }), atMs), 'running')
  t.equal(phaseOf(wish({ notBefore: new Date(atMs + 1).toISOString() }), atMs), 'waiting')
  t.equal(phaseOf(wish({ notBefore: neverAt }), atMs), 'paused')
  const halted = {
    notBefore: neverAt,
    halted: { at: neverAt, reason: 'too many' },
  } as unknown as Partial<Rollout>
  t.equal(phaseOf(wish(halted), atMs), 'halted')
  t.equal(phaseOf(wish({ ...halted, aborted: true }), atMs), 'aborted')
  t.end()
})

t.test('availability is one of three words', (t) => {
  for (const word of ['online', 'offline', 'stopped'] as const)
    t.equal(parseAvailability(Buffer.from(word)), word)
  for (const text of ['', 'Online', 'online ', 'off', 'x'.repeat(2000)])
    t.equal(parseAvailability(Buffer.from(text)), undefined, text.slice(0, 20))
  t.end()
})
