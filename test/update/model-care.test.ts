import t, { type Test } from 'tap'
import { LossyFileSystem } from '../helpers/lossy-fs.js'
import { problemsOf, TestDevice } from '../helpers/test-device.js'
import { TestFleet } from '../helpers/test-fleet.js'
import { playDamages } from '../faults/damaged-files.js'

const root = '/store'
const hourMs = 3_600_000

interface World {
  readonly fleet: TestFleet
  readonly files: LossyFileSystem
  isOnline: boolean
  start(): Promise<TestDevice>
}

/** A disk on which `versions` were committed one after the other. */
async function worldWith(t: Test, versions: readonly number[]): Promise<World> {
  const fleet = new TestFleet()
  const files = new LossyFileSystem()
  const world: World = {
    fleet,
    files,
    isOnline: true,
    start: async () => {
      const device = await TestDevice.start({ files, root, fleet, isOnline: () => world.isOnline })
      t.teardown(() => device.stop())
      return device
    },
  }
  const device = await world.start()
  for (const version of versions) {
    fleet.publish(version)
    device.wish(fleet.wish(version))
    await device.settle()
  }
  await device.stop()
  return world
}

/** Turns one bit of the file of the active model; the disk notes no change. */
function flipActive({ files }: World, device: TestDevice): void {
  const { active } = device.store.slots.state
  files.corrupt(`${root}/blobs/${active!.blobSha256s[0]!}`, (content) => {
    content[99] = content[99]! ^ 1
    return content
  })
}

t.test('a flipped bit in the active model is found at the start and fetched again', async (t) => {
  const world = await worldWith(t, [1, 2])
  flipActive(world, await world.start())
  const device = await world.start()
  t.equal(device.serving?.version, '1.0.0', 'the model before serves meanwhile')
  t.match(device.updater.restoring, {
    model: { version: '2.0.0' },
    error: { code: 'integrity.digest_mismatch' },
  })
  await device.settle()
  t.equal(device.serving?.version, '2.0.0', 'without any wish')
  t.equal(device.updater.restoring, undefined)
  t.ok(device.servingSaid >= 1, 'both changes are reported')
  t.same(await problemsOf(device), [])
})

t.test(
  'without a broker the device says what is wrong, and serves again when the broker is back',
  async (t) => {
    const world = await worldWith(t, [1])
    flipActive(world, await world.start())
    world.isOnline = false
    const device = await world.start()
    await device.settle()
    t.equal(device.serving, undefined)
    t.match(device.updater.restoring?.error.message, /cannot|damaged|gone|wants network/)
    world.isOnline = true
    device.clock.advance(hourMs)
    await device.settle()
    t.equal(device.serving?.version, '1.0.0')
    t.same(await problemsOf(device), [])
  },
)

t.test('what rots while it serves is found on the slow schedule, before a start would need it', async (t) => {
  const world = await worldWith(t, [1, 2])
  const device = await world.start()
  await device.settle()
  flipActive(world, device)
  device.clock.advance(hourMs)
  await device.settle()
  const { active } = device.store.slots.state
  const before = device.served.length
  t.equal(device.updater.restoring, undefined, 'size and times are the same')
  device.clock.advance(7 * hourMs)
  await device.settle()
  t.equal(await device.store.blobs.verify(active!.blobSha256s[0]!), 'intact')
  t.equal(device.served.length, before, 'what serves is not touched')
})

t.test('a file that is cut while it serves is found within a minute', async (t) => {
  const world = await worldWith(t, [1])
  const device = await world.start()
  await device.settle()
  const path = `${root}/blobs/${device.serving!.blobSha256s[0]!}`
  world.files.corrupt(path, (content) => content.subarray(0, 10))
  device.clock.advance(61_000)
  await device.settle()
  t.same(await problemsOf(device), [])
})

t.test('a version that was published anew with other files is deployed anew', async (t) => {
  const world = await worldWith(t, [1])
  const first = await world.start()
  flipActive(world, first)
  await first.stop()
  const { artefact } =
    world.fleet.bundle('9.0.0')?.manifest.variants[0] ?? world.fleet.publish(9).manifest.variants[0]!
  const anew = world.fleet.publish(1, (manifest) => ({
    ...manifest,
    variants: manifest.variants.map((variant) => ({ ...variant, artefact })),
  }))
  world.fleet.forget(first.store.slots.state.active!.blobSha256s[0]!)
  const device = await world.start()
  await device.settle()
  t.equal(device.serving?.blobSha256s[0], anew.manifest.variants[0]!.artefact.sha256)
  t.equal(device.updater.restoring, undefined)
})

t.test('a rollback whose files are gone ends, and is finished when they are back', async (t) => {
  const fleet = new TestFleet()
  for (const number of [1, 2]) fleet.publish(number)
  const files = new LossyFileSystem()
  let lose = async (): Promise<void> => Promise.resolve()
  const device = await TestDevice.start({
    files,
    root,
    fleet,
    behaviour: { onWork: (state) => (state === 'soaking' ? lose() : Promise.resolve()), soak: () => soak },
  })
  let soak = { frames: 100, errors: 0, latencyP95Ms: 20, agreement: 1 }
  t.teardown(() => device.stop())
  device.wish(fleet.wish(1))
  await device.settle()
  soak = { ...soak, errors: 100 }
  lose = async () => {
    await files.remove(`${root}/blobs/${device.store.slots.state.previous!.blobSha256s[0]!}`)
  }
  device.wish(fleet.wish(2))
  await device.settle()
  t.equal(device.serving?.version, '1.0.0')
  t.same(await problemsOf(device), [])
})

t.test('every file damaged in every way, before a start and while it serves', async (t) => {
  // Coprime to the ways of damage: the sample has every file and varies the ways.
  const { cases, failures } = await playDamages(37)
  t.same(failures, [])
  t.ok(cases > 60, `${cases} cases`)
})
