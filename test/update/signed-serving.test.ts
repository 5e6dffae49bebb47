import t, { type Test } from 'tap'
import type { TrustPolicy } from '../../src/protocol/envelope.js'
import { addSignature } from '../../src/protocol/envelope.js'
import { generateKeys, parseSigningKey, trustedKeyOf } from '../../src/protocol/keys.js'
import { LossyFileSystem } from '../helpers/lossy-fs.js'
import { TestDevice, testOptions } from '../helpers/test-device.js'
import { TestFleet } from '../helpers/test-fleet.js'

interface Serving {
  readonly device: TestDevice
  readonly fleet: TestFleet
  /** From now on the device believes other keys. */
  readonly believe: (trust: TrustPolicy) => Promise<void>
}

async function serving(t: Test, stopsUntrusted: boolean): Promise<Serving> {
  const fleet = new TestFleet()
  fleet.publish(1)
  const options = { ...testOptions, stopsUntrusted }
  const device = await TestDevice.start({ files: new LossyFileSystem(), root: '/store', fleet, options })
  t.teardown(() => device.stop())
  device.wish(fleet.wish(1))
  await device.settle()
  const believe = async (trust: TrustPolicy): Promise<void> => {
    Object.assign(fleet, { trust })
    device.updater.checkServing()
    await device.settle()
  }
  return { device, fleet, believe }
}

t.test('a model whose key is trusted no more serves on, and the device says so', async (t) => {
  const { device, fleet, believe } = await serving(t, false)
  t.equal(device.updater.distrust, undefined)
  const { trust } = fleet
  await believe({ keys: [] })
  t.equal(device.updater.distrust?.code, 'trust.key_unknown')
  t.equal(device.serving?.version, '1.0.0')
  await believe(trust)
  t.equal(device.updater.distrust, undefined)
})

t.test('with security.stop_untrusted it stops, and comes back with its key', async (t) => {
  const { device, fleet, believe } = await serving(t, true)
  const { trust } = fleet
  await believe({ keys: [] })
  t.equal(device.serving, undefined)
  t.match(device.updater.restoring, { error: { code: 'trust.key_unknown' } })
  t.equal(device.activeVersion, '1.0.0', 'nothing is forgotten')
  await believe(trust)
  t.equal(device.serving?.version, '1.0.0')
  t.equal(device.updater.restoring, undefined)
})

t.test('what the broker holds with the signature of another trusted key is trusted', async (t) => {
  const { device, fleet, believe } = await serving(t, true)
  const next = parseSigningKey(generateKeys().privatePem)
  const { manifest, envelope } = fleet.bundle('1.0.0')!
  Object.assign(fleet.bundle('1.0.0')!, { manifest, envelope: addSignature(envelope, next) })
  await believe({ keys: [trustedKeyOf(next)] })
  t.equal(device.updater.distrust, undefined)
  t.equal(device.serving?.version, '1.0.0')
})
