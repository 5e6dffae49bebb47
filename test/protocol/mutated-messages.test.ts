import t from 'tap'
import { seededRandom } from '../../src/base/random.js'
import { LossyFileSystem } from '../helpers/lossy-fs.js'
import { mutate } from '../helpers/mutate.js'
import { readMutated } from '../helpers/mutated-messages.js'
import { problemsOf, TestDevice } from '../helpers/test-device.js'
import { TestFleet } from '../helpers/test-fleet.js'

t.test('2,000 damaged wishes, manifests and commands: none is believed, none does harm', (t) => {
  const figures = readMutated(2_000, 1)
  t.comment(JSON.stringify(figures))
  t.same(figures.accepted, [])
  t.same(figures.crashes, [])
  t.ok(figures.heapGrowthBytes < 300e6)
  const refusals = Object.values(figures.refused).reduce((sum, count) => sum + count, 0)
  t.equal(refusals + figures.unchanged + figures.stillReadable, 2_000, 'each has an outcome')
  t.ok(refusals > 1_500, `${refusals} are refused`)
  t.end()
})

t.test(
  'a device that hears damaged wishes all day goes on as it was, and still hears the right one',
  async (t) => {
    const fleet = new TestFleet()
    fleet.publish(1)
    fleet.publish(2)
    const device = await TestDevice.start({ files: new LossyFileSystem(), root: '/store', fleet })
    device.wish(fleet.wish(1))
    await device.settle()
    const wish = fleet.wish(2)
    const payload = JSON.parse(Buffer.from(wish).toString()) as { payload: string; signatures: unknown[] }
    for (let seed = 0; seed < 300; seed++) {
      const random = seededRandom(seed)
      const damaged = mutate(Buffer.from(payload.payload, 'base64'), random)
      // White space is the only part of the text itself that could be damaged without being noticed.
      const text = JSON.stringify({ ...payload, payload: Buffer.from(damaged).toString('base64') })
      device.wish(Buffer.from(text))
    }
    await device.settle()
    t.equal(device.activeVersion, '1.0.0')
    t.same(await problemsOf(device), [])
    device.wish(wish)
    await device.settle()
    t.equal(device.activeVersion, '2.0.0')
    await device.stop()
  },
)

t.test('damaged manifests are refused with a code, and the serving model stays', async (t) => {
  let seed = 0
  class DamagingFleet extends TestFleet {
    override bundle(version: string): ReturnType<TestFleet['bundle']> {
      const bundle = super.bundle(version)
      if (bundle === undefined || version === '1.0.0') return bundle
      const whole = JSON.parse(Buffer.from(bundle.envelope).toString()) as { payload: string }
      const damaged = mutate(Buffer.from(whole.payload, 'base64'), seededRandom(seed))
      const text = JSON.stringify({ ...whole, payload: Buffer.from(damaged).toString('base64') })
      return { ...bundle, envelope: Buffer.from(text) }
    }
  }
  const fleet = new DamagingFleet()
  fleet.publish(1)
  const device = await TestDevice.start({ files: new LossyFileSystem(), root: '/store', fleet })
  device.wish(fleet.wish(1))
  await device.settle()
  const count = 40
  for (seed = 2; seed < 2 + count; seed++) {
    fleet.publish(seed)
    device.wish(fleet.wish(seed))
    await device.settle()
  }
  t.equal(device.activeVersion, '1.0.0')
  // A damaged message says nothing against its version, so each is asked for again, with growing pauses.
  const refused = device.messages.filter(({ state }) => state === 'refused')
  t.equal(new Set(refused.map(({ version }) => version)).size, count)
  t.same(device.errorCodes, ['trust.signature_invalid'])
  t.same(await problemsOf(device), [])
  await device.stop()
})
