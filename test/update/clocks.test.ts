import t, { type Test } from 'tap'
import { readBootId } from '../../src/hardware/boot-id.js'
import { LossyFileSystem } from '../helpers/lossy-fs.js'
import { TestClock } from '../helpers/test-clock.js'
import { TestDevice, testOptions } from '../helpers/test-device.js'
import { TestFleet } from '../helpers/test-fleet.js'

const root = '/store'
const hourMs = 3_600_000
const to2040Ms = Date.UTC(2040, 0, 1) - Date.UTC(2026, 0, 1)

function starter(t: Test, fleet: TestFleet): (clock?: TestClock, bootId?: string) => Promise<TestDevice> {
  const files = new LossyFileSystem()
  return async (clock = new TestClock(), bootId = 'boot') => {
    const options = { ...testOptions, bootId }
    const device = await TestDevice.start({ files, root, fleet, clock, options })
    t.teardown(() => device.stop())
    return device
  }
}

/** Lets `hours` pass in pieces, in which everything that is due happens. */
async function pass(device: TestDevice, hours: number): Promise<void> {
  for (let quarter = 0; quarter < hours * 4; quarter++) {
    device.clock.advance(hourMs / 4)
    await device.settle()
  }
}

t.test('a failure while the clock said 2040 is tried again within its wait', async (t) => {
  const fleet = new TestFleet()
  const start = starter(t, fleet)
  const wrong = new TestClock()
  wrong.wallErrorMs = to2040Ms
  const first = await start(wrong)
  first.wish(fleet.wish(1))
  await first.settle()
  t.same(first.errorCodes, ['bundle.file_missing'])
  await first.stop()

  fleet.publish(1)
  const device = await start()
  device.wish(fleet.wish(1))
  await device.settle()
  await pass(device, 2)
  t.equal(device.activeVersion, '1.0.0')
})

t.test('a clock that is put right while a failure waits changes nothing', async (t) => {
  const fleet = new TestFleet()
  const clock = new TestClock()
  clock.wallErrorMs = to2040Ms
  const device = await starter(t, fleet)(clock)
  device.wish(fleet.wish(1))
  await device.settle()
  clock.wallErrorMs = 0
  fleet.publish(1)
  t.equal(device.activeVersion, undefined, 'not at once')
  await pass(device, 2)
  t.equal(device.activeVersion, '1.0.0')
})

for (const [ended, boots, version] of [
  ['power cuts', ['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'], '2.0.0'],
  ['crashes', ['b', 'b', 'b', 'b', 'b', 'b', 'b', 'b'], '1.0.0'],
] as const)
  t.test(`after many ${ended} soon after the start ${version} serves`, async (t) => {
    const fleet = new TestFleet()
    const start = starter(t, fleet)
    const first = await start()
    for (const number of [1, 2]) {
      fleet.publish(number)
      first.wish(fleet.wish(number))
      await first.settle()
    }
    await first.stop()
    let device = first
    for (const bootId of boots) {
      // The one before is given up as it is, without a stop.
      device = await start(new TestClock(), bootId)
      await device.settle()
    }
    t.equal(device.activeVersion, version)
  })

t.test('the machine says which start it is', async (t) => {
  const folder = t.testdir({ proc: { sys: { kernel: { random: { boot_id: 'one\n' } } } }, bare: {} })
  t.equal(await readBootId(folder), 'one')
  t.equal(await readBootId(`${folder}/bare`), undefined)
})
