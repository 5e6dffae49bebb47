import t from 'tap'
import { silentLogger } from '../../src/base/logger.js'
import { LossyFileSystem } from '../helpers/lossy-fs.js'
import { problemsOf, TestDevice } from '../helpers/test-device.js'
import { type TestBundle, TestFleet } from '../helpers/test-fleet.js'

t.test('a wish becomes the active model, step by step', async (t) => {
  const fleet = new TestFleet()
  fleet.publish(1)
  const device = await TestDevice.start({ files: new LossyFileSystem(), root: '/store', fleet })
  device.wish(fleet.wish(1))
  await device.settle()
  t.equal(device.activeVersion, '1.0.0')
  t.same(
    [...new Set(device.messages.map(({ state }) => state))],
    ['offered', 'downloading', 'verifying', 'staged', 'trial', 'switching', 'soaking', 'committed', 'idle'],
  )
  t.same(await problemsOf(device), [])
  t.same(
    device.reports.map(({ kind }) => kind),
    ['trial', 'soak'],
  )
  await device.stop()
})

/** A broker on which somebody has put other bytes in the place of the manifests. */
class SpoiltFleet extends TestFleet {
  spoiltBy: Uint8Array | undefined

  override bundle(version: string): TestBundle | undefined {
    const bundle = super.bundle(version)
    if (bundle === undefined || this.spoiltBy === undefined) return bundle
    return { ...bundle, envelope: this.spoiltBy }
  }
}

t.test(
  'a manifest that was garbage, or signed by nobody known, for a moment is asked for again',
  async (t) => {
    const foreign = new TestFleet().publish(1).envelope
    const other = new TestFleet()
    const spoils: Readonly<Record<string, Uint8Array>> = {
      rubbish: Buffer.from('rubbish'),
      'nothing but zeros': new Uint8Array(400),
      'JSON of something else': Buffer.from('{"v":99}'),
      'the manifest of another key': foreign,
    }
    for (const [name, spoiltBy] of Object.entries(spoils)) {
      const fleet = new SpoiltFleet(other.privatePem)
      fleet.publish(1)
      fleet.spoiltBy = spoiltBy
      const device = await TestDevice.start({ files: new LossyFileSystem(), root: '/store', fleet })
      device.wish(fleet.wish(1))
      await device.settle()
      // Longer than all attempts that count would last.
      for (let hour = 0; hour < 20; hour++) {
        device.clock.advance(3_600_000)
        await device.settle()
      }
      t.equal(device.activeVersion, undefined, name)
      t.equal(device.errorCodes.length, 1, `${name}: ${device.errorCodes.join()}`)
      fleet.spoiltBy = undefined
      device.clock.advance(3_600_000)
      await device.settle()
      t.equal(device.activeVersion, '1.0.0', `${name}: it is served once the right one is there`)
      await device.stop()
    }
  },
)

t.test('the log at the level debug says what is decided, and what it is made of', async (t) => {
  const lines: (readonly [fields: object, message: string])[] = []
  const logger = {
    ...silentLogger,
    debug: (fields: object, message: string) => lines.push([fields, message]),
  }
  const fleet = new TestFleet()
  fleet.publish(1)
  const device = await TestDevice.start({ files: new LossyFileSystem(), root: '/store', fleet, logger })
  device.wish(fleet.wish(1))
  await device.settle()
  await device.stop()
  const fieldsOf = (wanted: string): readonly object[] =>
    lines.flatMap(([fields, message]) => (message === wanted ? [fields] : []))
  t.match(fieldsOf('wish heard'), [{ target: { kind: 'device' }, taken: 'wish' }])
  t.match(fieldsOf('what is done next'), [{ next: 'wait' }, { next: 'deploy', attempt: 1 }, { next: 'wait' }])
  const [offered] = fieldsOf('variants that may run here, the best guess first')
  t.match(offered, { version: '1.0.0' })
  t.match(fieldsOf('variant measured').at(0), { result: { state: 'measured' } })
  t.match(fieldsOf('variant chosen'), [{ why: /\w/ }])
})
