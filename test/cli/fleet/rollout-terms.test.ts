import t from 'tap'
import { aborted, paused, resumed, widened } from '../../../src/cli/fleet/rollout-terms.js'
import { wishFor, withRollout } from '../../../src/cli/fleet/wish.js'
import type { Desired, Rollout } from '../../../src/protocol/desired.js'
import { phaseOf, termsOf } from '../../../src/protocol/rollout-phase.js'
import { decideRollout } from '../../../src/protocol/rollout.js'

const nowMs = Date.parse('2026-03-01T00:00:00Z')

function wish(rollout?: Rollout): Desired {
  const terms = rollout === undefined ? {} : { rollout }
  return wishFor({ model: 'parts', version: '2.0.0' }, { kind: 'channel', name: 'stable' }, nowMs, terms)
}

t.test('a wider share keeps its salt, so that devices are only added', (t) => {
  const narrow = wish({ percent: 10, salt: 's' })
  const wide = withRollout(narrow, widened(narrow, 50), nowMs)
  t.same(wide.rollout, { percent: 50, salt: 's' })
  const devices = Array.from({ length: 300 }, (_, index) => `device-${index}`)
  const follows = (desired: Desired): string[] =>
    devices.filter((device) => decideRollout(desired, device, nowMs).follows)
  t.ok(follows(narrow).every((device) => follows(wide).includes(device)))
  t.ok(follows(wide).length > follows(narrow).length)
  t.throws(() => widened(narrow, 10), { code: 'cli.argument_invalid' })
  t.throws(() => widened(narrow, 5), { message: /more than the 10/ })
  t.end()
})

t.test('a wish without terms is for everybody, and can be held all the same', (t) => {
  const everybody = wish()
  t.equal(termsOf(everybody).percent, 100)
  const held = withRollout(everybody, paused(everybody), nowMs)
  t.equal(phaseOf(held, nowMs), 'paused')
  t.notOk(decideRollout(held, 'pi', nowMs).follows)
  const again = withRollout(held, resumed(held), nowMs)
  t.equal(phaseOf(again, nowMs), 'running')
  t.ok(decideRollout(again, 'pi', nowMs).follows)
  t.end()
})

t.test('an aborted rollout is for nobody, and only a new one begins again', (t) => {
  const begun = wish({ percent: 30, salt: 's' })
  const over = withRollout(begun, aborted(begun), nowMs)
  t.equal(phaseOf(over, nowMs), 'aborted')
  t.notOk(decideRollout(over, 'pi', nowMs).follows)
  for (const change of [resumed, paused, (wish: Desired) => widened(wish, 100)])
    t.throws(() => change(over), { code: 'cli.argument_invalid', message: /was aborted/ })
  t.end()
})

t.test('a rollout of later waits', (t) => {
  const later = wish({ percent: 30, salt: 's', notBefore: '2026-04-01T00:00:00Z' })
  t.equal(phaseOf(later, nowMs), 'waiting')
  t.equal(phaseOf(later, Date.parse('2026-04-02T00:00:00Z')), 'running')
  t.end()
})

t.test('a changed wish is newer than the one before, also when the clock is not', (t) => {
  const begun = wish({ percent: 30, salt: 's' })
  t.equal(withRollout(begun, paused(begun), nowMs - 5000).sequence, begun.sequence + 1)
  t.equal(withRollout(begun, paused(begun), nowMs + 5000).sequence, nowMs + 5000)
  t.end()
})
