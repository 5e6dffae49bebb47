import t from 'tap'
import { LossyFileSystem } from '../helpers/lossy-fs.js'
import { type Behaviour, measuredAs, problemsOf, TestDevice } from '../helpers/test-device.js'
import { TestFleet } from '../helpers/test-fleet.js'

/** A device that serves `small` because it measured best. */
async function serving(
  behaviour: Behaviour,
): Promise<{ readonly device: TestDevice; readonly fleet: TestFleet }> {
  const fleet = new TestFleet()
  fleet.publish(1)
  const device = await TestDevice.start({ files: new LossyFileSystem(), root: '/store', fleet, behaviour })
  device.wish(fleet.wish(1))
  await device.settle()
  return { device, fleet }
}

/** Times of `small` and of `large`; the key of a measurement changes with them, as it does with a power mode. */
function timed(): { readonly times: { small: number; large: number }; readonly behaviour: Behaviour } {
  const times = { small: 20, large: 40 }
  return {
    times,
    behaviour: {
      conditions: () => JSON.stringify(times),
      measure: ({ variant }) => measuredAs(variant.id === 'small' ? times.small : times.large, 0.5),
    },
  }
}

t.test('a machine that has changed gets the variant that is best now', async (t) => {
  const { times, behaviour } = timed()
  const { device } = await serving(behaviour)
  t.equal(device.serving?.variantId, 'small')
  times.small = 60
  device.updater.reconsider('the power mode changed from MAXN to 15W')
  await device.settle()
  t.equal(device.serving?.variantId, 'large')
  t.equal(device.store.slots.state.previous?.variantId, 'small', 'what a rollback would bring back')
  t.same(await problemsOf(device), [])
  await device.stop()
})

t.test('a little better is not worth a swap, much better is', async (t) => {
  const { times, behaviour } = timed()
  const { device } = await serving(behaviour)
  const servedBefore = device.served.length
  times.large = 19
  device.updater.reconsider('the machine has been slowed down for 300 s')
  await device.settle()
  t.equal(device.served.length, servedBefore, 'the serving model was not touched')
  t.match(device.messages.at(-1), { state: 'idle', error: { code: 'deployment.variant_kept' } })
  t.match(
    device.messages.at(-1)?.error?.message,
    /^small stays after the machine has been slowed down for 300 s/,
  )
  t.match(device.reports.at(-1)?.trials, [
    { variant: 'small', chosen: true },
    { variant: 'large', chosen: false, reason: /better than small by less than the hysteresis of 0\.1/ },
  ])
  times.large = 17
  device.updater.reconsider('the machine has been at full speed again for 300 s')
  await device.settle()
  t.equal(device.serving?.variantId, 'large')
  await device.stop()
})

t.test('it needs no broker, and a wish goes first', async (t) => {
  const { times, behaviour } = timed()
  const { device, fleet } = await serving(behaviour)
  fleet.retire('1.0.0')
  times.small = 60
  device.updater.reconsider('the power mode changed')
  await device.settle()
  t.equal(device.serving?.variantId, 'large', 'the manifest was here')
  fleet.publish(2)
  device.updater.reconsider('the power mode changed back')
  device.wish(fleet.wish(2))
  await device.settle()
  t.equal(device.activeVersion, '2.0.0')
  t.same(await problemsOf(device), [])
  await device.stop()
})

t.test('nothing is measured while no model serves', async (t) => {
  const device = await TestDevice.start({
    files: new LossyFileSystem(),
    root: '/store',
    fleet: new TestFleet(),
  })
  device.updater.reconsider('the power mode changed')
  await device.settle()
  t.same(device.messages, [])
  await device.stop()
})
