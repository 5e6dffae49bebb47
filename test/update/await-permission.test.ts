import t, { type Test } from 'tap'
import { LossyFileSystem } from '../helpers/lossy-fs.js'
import { type Behaviour, measuredAs, TestDevice } from '../helpers/test-device.js'
import { TestFleet } from '../helpers/test-fleet.js'

/** A device that serves version 1 and must wait before any other: `open` ends the wait. */
async function waitingDevice(t: Test) {
  const fleet = new TestFleet()
  let waits = 0
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const behaviour: Behaviour = {
    measure: () => measuredAs(20, 0.5),
    waitForTrial: async (signal, onWait) => {
      waits++
      onWait(60_000)
      const aborted = new Promise((resolve) => {
        signal.addEventListener('abort', resolve, { once: true })
      })
      await Promise.race([opened, aborted])
    },
  }
  for (const number of [1, 2, 3]) fleet.publish(number)
  const device = await TestDevice.start({ files: new LossyFileSystem(), root: '/store', fleet, behaviour })
  t.teardown(() => device.stop())
  device.wish(fleet.wish(1))
  await device.settle()
  return { device, fleet, waitsOf: () => waits, open }
}

async function turnsUntil(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !condition(); turn++)
    await new Promise((resolve) => setImmediate(resolve))
}

t.test('a first model does not wait, another one does until its hours come', async (t) => {
  const { device, fleet, waitsOf, open } = await waitingDevice(t)
  t.equal(device.activeVersion, '1.0.0')
  t.equal(waitsOf(), 0)
  device.wish(fleet.wish(2))
  await turnsUntil(() => device.state === 'staged' && waitsOf() === 1)
  t.equal(device.state, 'staged')
  t.equal(device.serving?.version, '1.0.0')
  await turnsUntil(() => device.messages.at(-1)?.etaMs === 60_000)
  t.match(device.messages.at(-1), { state: 'staged', version: '2.0.0', progress: 0, etaMs: 60_000 })
  open()
  await device.settle()
  t.equal(device.activeVersion, '2.0.0')
})

t.test('a newer wish ends the wait, and a return to a version that was kept here needs none', async (t) => {
  const { device, fleet, waitsOf } = await waitingDevice(t)
  device.wish(fleet.wish(2))
  await turnsUntil(() => waitsOf() === 1)
  device.wish(fleet.wish(3))
  await turnsUntil(() => waitsOf() === 2)
  t.equal(device.updater.deployment?.version, '3.0.0')
  device.wish(fleet.wish(1, { sequence: 99 }))
  await device.settle()
  t.equal(device.activeVersion, '1.0.0')
  t.equal(device.state, 'idle')
  t.equal(waitsOf(), 2)
})
