/** What a variant must reach in its trial, and what is said of those that do not. */

import t, { type Test } from 'tap'
import type { TrialResult } from '../../src/update/ports.js'
import { LossyFileSystem } from '../helpers/lossy-fs.js'
import { type Behaviour, latencyOf, measuredAs, TestDevice } from '../helpers/test-device.js'
import { TestFleet } from '../helpers/test-fleet.js'

const failed = (code: string): TrialResult => ({
  state: 'failed',
  error: { code, message: `the test wants ${code}` },
})

/** A device that was asked for version 2, or for version 1 alone. */
async function deviceWith(t: Test, behaviour: Behaviour, versions = 1): Promise<TestDevice> {
  const fleet = new TestFleet()
  for (let number = 1; number <= versions; number++) fleet.publish(number)
  const own: Behaviour = versions === 1 ? behaviour : { measure: () => measuredAs(20, 0.5) }
  const device = await TestDevice.start({
    files: new LossyFileSystem(),
    root: '/store',
    fleet,
    behaviour: own,
  })
  t.teardown(() => device.stop())
  for (let number = 1; number <= versions; number++) {
    if (number === versions) Object.assign(own, behaviour)
    device.wish(fleet.wish(number))
    await device.settle()
  }
  return device
}

const errorOf = (device: TestDevice): unknown =>
  device.messages.find(({ error }) => error !== undefined)?.error

t.test('a variant that finds clearly less than its bundle promises is refused', async (t) => {
  t.equal((await deviceWith(t, { measure: () => measuredAs(20, 0.451) })).activeVersion, '1.0.0')
  const poor = await deviceWith(t, { measure: () => measuredAs(20, 0.449) })
  t.equal(poor.activeVersion, undefined)
  t.match(errorOf(poor), {
    code: 'deployment.accuracy_low',
    message: /mAP 0\.449 on the golden set, expected 0\.500 less at most 0\.05/,
  })
})

t.test('and so is one that finds clearly less than the active model', async (t) => {
  const active = (map: number): Behaviour => ({
    measure: () => measuredAs(20, 0.5),
    active: () => ({
      latency: latencyOf(20),
      accuracy: { map, map50: map, images: 4, dataset: 'golden' },
    }),
  })
  t.equal((await deviceWith(t, active(0.549), 2)).activeVersion, '2.0.0')
  const worse = await deviceWith(t, active(0.551), 2)
  t.equal(worse.activeVersion, '1.0.0')
  t.match(errorOf(worse), { message: /the active model has 0\.551; allowed are 0\.05 less/ })
})

t.test(
  'what all variants failed with is the code of the whole; different ones are a failed trial',
  async (t) => {
    const shared = await deviceWith(t, { measure: () => failed('resource.memory_exhausted') })
    t.match(errorOf(shared), { code: 'resource.memory_exhausted', message: /^no variant passed its trial: / })
    const codes = ['inference.run_failed', 'resource.memory_exhausted']
    const mixed = await deviceWith(t, { measure: () => failed(codes.pop() ?? 'inference.load_failed') })
    t.match(errorOf(mixed), { code: 'deployment.trial_failed' })
    const gated = await deviceWith(t, {
      measure: ({ variant }) =>
        variant.id === 'small' ? measuredAs(20, 0.1) : failed('inference.run_failed'),
    })
    t.match(errorOf(gated), { code: 'deployment.accuracy_low' })
  },
)

t.test('the report of a trial has a row for each variant, chosen or why not', async (t) => {
  const device = await deviceWith(t, {
    measure: ({ variant }) => (variant.id === 'small' ? measuredAs(20, 0.5) : failed('inference.run_failed')),
  })
  t.equal(device.activeVersion, '1.0.0')
  const report = device.reports.find(({ kind }) => kind === 'trial')
  t.match(report, { model: 'shelf', version: '1.0.0', variant: 'small' })
  const rows = report?.trials ?? []
  t.match(
    rows.find(({ variant }) => variant === 'small'),
    { chosen: true, provider: 'cpu', latency: { p95Ms: 20 }, memoryBytes: 1e6, accuracy: { map: 0.5 } },
  )
  const other = rows.find(({ variant }) => variant !== 'small')
  t.match(other, { chosen: false, provider: 'none', reason: /inference\.run_failed/ })
  t.equal(other?.latency, undefined)
})

t.test('what was measured under the same conditions is not measured again', async (t) => {
  const fleet = new TestFleet()
  fleet.publish(1)
  fleet.publish(2)
  let measured = 0
  let conditions = 'cool'
  const behaviour: Behaviour = {
    measure: () => {
      measured++
      return measuredAs(20, 0.5)
    },
    conditions: () => conditions,
  }
  const device = await TestDevice.start({ files: new LossyFileSystem(), root: '/store', fleet, behaviour })
  t.teardown(() => device.stop())
  const after = async (number: number, sequence: number): Promise<number> => {
    measured = 0
    device.wish(fleet.wish(number, { sequence, allowDowngrade: true }))
    await device.settle()
    return measured
  }
  const first = await after(1, 11)
  t.ok(first > 0)
  t.ok((await after(2, 12)) > 0)
  t.equal(await after(1, 13), 0)
  conditions = 'hot'
  t.equal(await after(2, 14), first)
})
