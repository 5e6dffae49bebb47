/** What a device takes from its topics, and what it does not, whoever sends it. */

import t, { type Test } from 'tap'
import { sealTelling } from '../../src/cli/fleet/wish.js'
import { generateKeys, parseSigningKey } from '../../src/protocol/keys.js'
import { WishBook } from '../../src/update/wishes.js'
import { LossyFileSystem } from '../helpers/lossy-fs.js'
import { TestDevice } from '../helpers/test-device.js'
import { fleetDevice, TestFleet } from '../helpers/test-fleet.js'

const channel = { kind: 'channel', name: 'stable' } as const
const self = { kind: 'device', name: fleetDevice } as const
const createdAt = '2026-01-01T00:00:00Z'

interface Life {
  readonly fleet: TestFleet
  readonly device: TestDevice
  /** The same device after a restart. */
  readonly restart: () => Promise<TestDevice>
  readonly release: (sequence: number) => Uint8Array
}

async function life(t: Test): Promise<Life> {
  const fleet = new TestFleet()
  for (const number of [1, 2, 3]) fleet.publish(number)
  const setting = { files: new LossyFileSystem(), root: '/store', fleet }
  const device = await TestDevice.start(setting)
  t.teardown(() => device.stop())
  return {
    fleet,
    device,
    restart: async () => {
      const again = await TestDevice.start(setting)
      t.teardown(() => again.stop())
      return again
    },
    release: (sequence) =>
      sealTelling({ kind: 'release', release: { target: self, sequence, createdAt } }, [fleet.key]),
  }
}

t.test('a rollback that was recorded and released does not come back', async (t) => {
  const { fleet, device, restart, release } = await life(t)
  device.wish(fleet.wish(1, { target: channel, sequence: 10 }), 'channel')
  await device.settle()
  device.wish(fleet.wish(2, { target: channel, sequence: 11 }), 'channel')
  await device.settle()
  const recorded = fleet.wish(1, { sequence: 12, allowDowngrade: true })
  device.wish(recorded)
  await device.settle()
  t.equal(device.activeVersion, '1.0.0', 'rolled back')

  device.wish(undefined)
  await device.settle()
  t.equal(device.activeVersion, '1.0.0', 'an empty message, which needs no key, releases nothing')
  t.match(device.updater.refusedWish, { target: self, error: { code: 'trust.unsigned_refused' } })

  device.wish(release(13))
  await device.settle()
  t.equal(device.activeVersion, '2.0.0', 'released')
  t.equal(device.updater.refusedWish, undefined)
  device.wish(recorded)
  await device.settle()
  t.equal(device.activeVersion, '2.0.0', 'the recorded rollback is stale')
  t.match(device.updater.refusedWish, {
    ...{ target: self, version: '1.0.0', sequence: 12, newestSequence: 13 },
    error: { code: 'trust.sequence_stale' },
  })
  await device.stop()
  const again = await restart()
  again.wish(fleet.wish(2, { target: channel, sequence: 11 }), 'channel')
  again.wish(recorded)
  await again.settle()
  t.equal(again.activeVersion, '2.0.0', 'and so it is after a restart')
  t.equal(again.updater.refusedWishCount, 1)
})

t.test('a rollback holds over a restart, also when its message is gone from the broker', async (t) => {
  const { fleet, device, restart, release } = await life(t)
  const asked = fleet.wish(2, { target: channel, sequence: 11 })
  device.wish(asked, 'channel')
  await device.settle()
  device.wish(fleet.wish(1, { sequence: 12, allowDowngrade: true }))
  await device.settle()
  await device.stop()
  const again = await restart()
  again.wish(asked, 'channel')
  await again.settle()
  t.equal(again.activeVersion, '1.0.0', 'somebody has cleared the topic')
  again.wish(release(13))
  await again.settle()
  t.equal(again.activeVersion, '2.0.0')
})

t.test('a wish that is heard too late is not taken; one that was taken in time stays', async (t) => {
  const { fleet, device, restart } = await life(t)
  const nowMs = device.clock.wallMs()
  const until = (offsetMs: number): string => new Date(nowMs + offsetMs).toISOString()
  device.wish(fleet.wish(1, { target: channel, sequence: 1 }), 'channel')
  await device.settle()
  device.wish(fleet.wish(3, { sequence: 5, expiresAt: until(-1) }))
  await device.settle()
  t.equal(device.activeVersion, '1.0.0')
  t.match(device.updater.refusedWish, { error: { code: 'trust.wish_expired' }, version: '3.0.0' })
  const timely = fleet.wish(2, { sequence: 6, expiresAt: until(3_600_000) })
  device.wish(timely)
  await device.settle()
  t.equal(device.activeVersion, '2.0.0')
  await device.stop()
  const book = new WishBook(fleetDevice, { [`device/${fleetDevice}`]: { sequence: 5, id: 'other' } })
  const late = { trust: fleet.trust, nowMs: nowMs + 7_200_000 }
  t.throws(() => book.take(self, timely, late), { code: 'trust.wish_expired' })
  t.equal(book.newestSequence(self), 5, 'what is refused moves nothing')
  const again = await restart()
  t.equal(again.updater.desiredSequence, 6)
})

t.test('a version that may not be taken up any more is refused; who serves it goes on', async (t) => {
  const { fleet, device } = await life(t)
  fleet.publish(4, (manifest) => ({ ...manifest, expiresAt: '2000-01-01T00:00:00Z' }))
  device.wish(fleet.wish(1, { target: channel, sequence: 1 }), 'channel')
  await device.settle()
  device.wish(fleet.wish(4, { target: channel, sequence: 2 }), 'channel')
  await device.settle()
  t.equal(device.activeVersion, '1.0.0')
  t.same(device.errorCodes, ['trust.manifest_expired'])
})

t.test('what nobody trusted has signed is named and counted, and a good wish ends it', async (t) => {
  const { fleet, device } = await life(t)
  const stranger = parseSigningKey(generateKeys().privatePem)
  device.wish(fleet.wish(1, { target: channel, sequence: 1 }), 'channel')
  await device.settle()
  device.wish(fleet.wish(2, { target: channel, sequence: 2 }, stranger), 'channel')
  device.wish(Buffer.from('rubbish'), 'channel')
  device.wish(fleet.wish(3, { target: channel, sequence: 3 }, stranger), 'channel')
  await device.settle()
  t.equal(device.updater.refusedWishCount, 3)
  t.match(device.updater.refusedWish, {
    ...{ target: channel, model: 'shelf', version: '3.0.0', sequence: 3 },
    error: { code: 'trust.key_unknown' },
  })
  device.wish(fleet.wish(2, { target: channel, sequence: 4 }), 'channel')
  await device.settle()
  t.equal(device.updater.refusedWish, undefined)
  t.equal(device.activeVersion, '2.0.0')
})

t.test('of channels that a device has left, a bounded number is remembered', (t) => {
  const fleet = new TestFleet()
  const book = new WishBook(fleetDevice, {})
  const arrival = { trust: fleet.trust, nowMs: 0 }
  for (let number = 0; number < 40; number++) {
    const target = { kind: 'channel', name: `channel-${number}` } as const
    book.take(target, fleet.wish(1, { target }), arrival)
  }
  t.equal(Object.keys(book.seen).length, 16)
  t.equal(Object.keys(book.seen).at(-1), 'channel/channel-39')
  t.end()
})
