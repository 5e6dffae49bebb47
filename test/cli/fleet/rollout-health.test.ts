import t from 'tap'
import { healthOf, type Move, nextMove, planText } from '../../../src/cli/fleet/rollout-health.js'
import { halted, resumed, widened } from '../../../src/cli/fleet/rollout-terms.js'
import { wishFor, withRollout } from '../../../src/cli/fleet/wish.js'
import { newDevice } from '../../../src/dashboard/fleet/device-record.js'
import type { DeviceRecord } from '../../../src/dashboard/fleet/device-record.js'
import type { Desired, RolloutPlan } from '../../../src/protocol/desired.js'
import { decideRollout } from '../../../src/protocol/rollout.js'
import { phaseOf } from '../../../src/protocol/rollout-phase.js'

const nowMs = Date.parse('2026-03-01T00:00:00Z')
const hourMs = 3_600_000
const plan: RolloutPlan = { steps: [5, 25, 100], everyMs: hourMs, failureShareMax: 0.05, devicesMin: 3 }
const stable = { kind: 'channel', name: 'stable' } as const
const version = { model: 'parts', version: '2.0.0' }

function wish(percent: number, more: Partial<RolloutPlan> = {}): Desired {
  const rollout = { percent, salt: 's', plan: { ...plan, ...more } }
  return wishFor(version, stable, nowMs, { rollout })
}

const move = (percent: number, serving: number, failed: number, afterMs: number): Move | undefined =>
  nextMove(wish(percent), { serving, failed }, nowMs + afterMs)

t.test('a step lasts its time, and the next one begins only with devices that are well', (t) => {
  t.match(move(5, 10, 0, hourMs - 1000), { kind: 'wait', reason: /25 % in 1 s/ })
  t.same(move(5, 10, 0, hourMs), { kind: 'widen', percent: 25 })
  t.same(move(25, 100, 0, hourMs), { kind: 'widen', percent: 100 })
  t.same(move(40, 100, 0, hourMs), { kind: 'widen', percent: 100 }, 'widened by hand in between')
  t.match(move(5, 2, 0, hourMs), { kind: 'wait', reason: /2 devices have come to an end/ })
  t.match(move(100, 100, 0, hourMs), { kind: 'wait', reason: /last step/ })
  t.end()
})

t.test('too many failures halt it, at any time, also at the last step', (t) => {
  t.match(move(5, 18, 2, 0), { kind: 'halt', reason: '2 of 20 devices failed, more than 5 %' })
  t.match(move(100, 0, 3, 0), { kind: 'halt' })
  t.match(move(5, 19, 1, hourMs), { kind: 'widen' }, '5 % is not more than 5 %')
  t.match(move(5, 0, 2, 0), { kind: 'wait' }, 'two devices are too few to conclude anything')
  t.match(nextMove(wish(5, { failureShareMax: 0 }), { serving: 99, failed: 1 }, nowMs), { kind: 'halt' })
  t.end()
})

t.test('what is halted waits for a person, and devices do not follow', (t) => {
  const running = wish(5)
  const stopped = withRollout(running, halted(running, '2 of 20 devices failed'), nowMs)
  t.equal(phaseOf(stopped, nowMs), 'halted')
  t.notOk(decideRollout({ ...stopped, rollout: { ...stopped.rollout!, percent: 100 } }, 'pi', nowMs).follows)
  t.equal(nextMove(stopped, { serving: 100, failed: 0 }, nowMs + hourMs), undefined)
  const again = withRollout(stopped, resumed(stopped), nowMs)
  t.match(again.rollout, { percent: 5, plan })
  t.equal(phaseOf(again, nowMs), 'running')
  t.equal(again.rollout?.halted, undefined)
  t.match(widened(again, 50), { plan })
  t.match(planText(running), /5, 25, 100 %, a step at least 60 min; halts when more than 5 %/)
  t.end()
})

t.test('only devices of the channel count, in the version that it asks for', (t) => {
  const device = (
    name: string,
    channel: string | undefined,
    served: string,
    refused?: string,
  ): DeviceRecord => {
    const record = newDevice(name)
    const info = { channel } as Partial<NonNullable<DeviceRecord['info']>>
    if (channel !== undefined) record.info = info as NonNullable<DeviceRecord['info']>
    const at = '2026-03-01T00:00:00.000Z'
    const active = {
      model: 'parts',
      version: served,
      variant: 'a',
      sha256: '0'.repeat(64),
      provider: 'cpu',
      since: at,
    }
    const error = { code: 'trust.key_unknown', message: 'no' }
    record.reported = {
      ...{ at, active },
      ...(refused !== undefined && { refusedWish: { target: stable, at, error, sequence: Number(refused) } }),
    }
    return record
  }
  const asked = wish(5)
  const fleet = [
    device('a', 'stable', '2.0.0'),
    device('b', undefined, '2.0.0'),
    device('c', 'canary', '2.0.0'),
    device('d', 'stable', '1.0.0'),
    device('e', 'stable', '1.0.0', String(asked.sequence)),
    device('f', 'stable', '1.0.0', '7'),
  ]
  const devices = new Map(fleet.map((each) => [each.name, each]))
  t.same(
    healthOf({ devices }, asked),
    { serving: 2, failed: 1 },
    'a refusal of an older wish is not one of this',
  )
  t.end()
})
