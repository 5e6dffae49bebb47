import t from 'tap'
import { LossyFileSystem } from '../helpers/lossy-fs.js'
import { problemsOf, TestDevice } from '../helpers/test-device.js'
import { TestFleet } from '../helpers/test-fleet.js'

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
