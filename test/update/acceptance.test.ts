import t, { type Test } from 'tap'
import type { TrialResult } from '../../src/update/ports.js'
import { LossyFileSystem } from '../helpers/lossy-fs.js'
import { type Behaviour, latencyOf, measuredAs, problemsOf, TestDevice } from '../helpers/test-device.js'
import { TestFleet } from '../helpers/test-fleet.js'

/** A device that runs version 1 and is asked to run version 2. */
async function deviceThatMeets(t: Test, second: Behaviour, hasGolden = true): Promise<TestDevice> {
  const fleet = new TestFleet()
  const behaviour: Behaviour = { measure: () => measuredAs(20, 0.5) }
  for (const number of [1, 2])
    fleet.publish(number, (manifest) => {
      const { golden, ...rest } = manifest
      return hasGolden && golden !== undefined ? manifest : rest
    })
  const device = await TestDevice.start({ files: new LossyFileSystem(), root: '/store', fleet, behaviour })
  t.teardown(() => device.stop())
  device.wish(fleet.wish(1))
  await device.settle()
  t.equal(device.activeVersion, '1.0.0')
  Object.assign(behaviour, second)
  device.wish(fleet.wish(2))
  await device.settle()
  t.same(await problemsOf(device), [])
  return device
}

/** Measured without a golden set. */
function timedAs(p50Ms: number): TrialResult {
  return { state: 'measured', provider: 'cpu', latency: latencyOf(p50Ms), memoryBytes: 1e6 }
}

const active = (p50Ms: number): Behaviour => ({ active: () => ({ latency: latencyOf(p50Ms) }) })

t.test('a model that is several times slower than the active one is refused', async (t) => {
  const device = await deviceThatMeets(t, { measure: () => measuredAs(100, 0.5), ...active(20) })
  t.equal(device.activeVersion, '1.0.0')
  t.same(device.errorCodes, ['deployment.latency_high'])
  t.match(
    device.messages.find(({ error }) => error)?.error?.message,
    /takes 100\.0 ms .* the active model 20\.0 ms/,
  )
})

t.test('a few milliseconds decide nothing', async (t) => {
  const device = await deviceThatMeets(t, { measure: () => measuredAs(9, 0.5), ...active(1) })
  t.equal(device.activeVersion, '2.0.0')
})

t.test('a model that sees other things than the one before is rolled back', async (t) => {
  const soak = (): ReturnType<NonNullable<Behaviour['soak']>> => ({
    frames: 100,
    errors: 0,
    latencyP95Ms: 20,
    agreement: 0.1,
  })
  const device = await deviceThatMeets(t, { soak, measure: () => timedAs(20) }, false)
  t.equal(device.activeVersion, '1.0.0')
  t.same(device.errorCodes, ['deployment.soak_failed'])
  t.ok(device.messages.some(({ state }) => state === 'rollingBack'))
})

t.test('unless labels have shown that it is good', async (t) => {
  const soak = (): ReturnType<NonNullable<Behaviour['soak']>> => ({
    frames: 100,
    errors: 0,
    latencyP95Ms: 20,
    agreement: 0.1,
  })
  const device = await deviceThatMeets(t, { soak })
  t.equal(device.activeVersion, '2.0.0')
})

/** Measured as taking `p50Ms` to pass and `cpuMs` on a processor. */
function busyAs(p50Ms: number, cpuMs: number): TrialResult {
  return { state: 'measured', provider: 'cpu', latency: latencyOf(p50Ms), cpuMs, memoryBytes: 1e6 }
}

for (const [what, cpuMs, version] of [
  ['a busy neighbor', 25, '2.0.0'],
  ['the model itself', 100, '1.0.0'],
] as const)
  t.test(`time that passes because of ${what} leaves ${version} in place`, async (t) => {
    const trial = await deviceThatMeets(t, {
      measure: () => busyAs(300, cpuMs),
      active: () => ({ latency: latencyOf(20), cpuMs: 20 }),
    })
    t.equal(trial.activeVersion, version)
    const soak = await deviceThatMeets(t, {
      measure: () => busyAs(20, 20),
      soak: () => ({ frames: 100, errors: 0, latencyP95Ms: 300, cpuMs, agreement: 1 }),
    })
    t.equal(soak.activeVersion, version)
  })

for (const [what, referenceMs, version] of [
  ['slows the fixed work as well', 8, '2.0.0'],
  ['leaves the fixed work as it was', 2, '1.0.0'],
] as const)
  t.test(`processor time that grows with what ${what} leaves ${version} in place`, async (t) => {
    const reference = (cpuMs: number): { cpuMs: number; p50Ms: number; p95Ms: number } => ({
      ...{ cpuMs, p50Ms: cpuMs, p95Ms: cpuMs },
    })
    const trial = await deviceThatMeets(t, {
      measure: () => ({ ...busyAs(100, 100), reference: reference(referenceMs) }) as TrialResult,
      active: () => ({ latency: latencyOf(20), cpuMs: 20, reference: reference(2) }),
    })
    t.equal(trial.activeVersion, version)
    const soak = await deviceThatMeets(t, {
      measure: () => ({ ...busyAs(20, 20), reference: reference(2) }) as TrialResult,
      soak: () => ({
        ...{ frames: 100, errors: 0, latencyP95Ms: 100, cpuMs: 100, agreement: 1 },
        reference: reference(referenceMs),
      }),
    })
    t.equal(soak.activeVersion, version)
  })

t.test('a trial in a busy moment hides no slow model', async (t) => {
  const device = await deviceThatMeets(t, {
    measure: () => busyAs(400, 20),
    soak: () => ({ frames: 100, errors: 0, latencyP95Ms: 110, cpuMs: 100, agreement: 1 }),
  })
  t.equal(device.activeVersion, '1.0.0')
  t.same(device.errorCodes, ['deployment.soak_failed'])
  t.match(
    device.messages.find(({ error }) => error)?.error?.message,
    /takes 100\.0 ms of processor time a frame while serving, expected at most 60\.0 ms/,
  )
})

t.test('a version that was committed here before passes no gate again', async (t) => {
  const slow: Behaviour = {
    measure: () => busyAs(300, 300),
    active: () => ({ latency: latencyOf(20), cpuMs: 20 }),
  }
  const fleet = new TestFleet()
  for (const number of [1, 2]) fleet.publish(number)
  const behaviour: Behaviour = { measure: () => timedAs(20) }
  const device = await TestDevice.start({ files: new LossyFileSystem(), root: '/store', fleet, behaviour })
  t.teardown(() => device.stop())
  for (const number of [1, 2]) {
    device.wish(fleet.wish(number))
    await device.settle()
  }
  Object.assign(behaviour, slow, {
    conditions: () => 'measured anew',
    soak: () => ({ frames: 9, errors: 0, latencyP95Ms: 900 }),
  })
  device.wish(fleet.wish(1, { sequence: 3, allowDowngrade: true }))
  await device.settle()
  t.equal(device.activeVersion, '1.0.0')
})
