import t from 'tap'
import { serviceNotifier } from '../../src/agent/notify-systemd.js'
import { systemClock } from '../../src/base/clock.js'
import { silentLogger } from '../../src/base/logger.js'
import { openNotifySocket } from '../helpers/notify-socket.js'

t.test('outside systemd nothing happens', (t) => {
  const notifier = serviceNotifier({}, systemClock, silentLogger)
  notifier.ready('x')
  notifier.stopping()
  notifier.watch(() => true)()
  t.end()
})

t.test('ready, watchdog and stopping reach the socket', async (t) => {
  const { path, onAssignment } = await openNotifySocket(t)
  let heard: string[] = []
  onAssignment((assignment) => heard.push(assignment))

  const before = process.env['NOTIFY_SOCKET']
  process.env['NOTIFY_SOCKET'] = path
  t.teardown(() => {
    if (before === undefined) delete process.env['NOTIFY_SOCKET']
    else process.env['NOTIFY_SOCKET'] = before
  })
  // libsystemd reads the C environment, which Node's process.env writes through to.
  const notifier = serviceNotifier({ NOTIFY_SOCKET: path, WATCHDOG_USEC: '20000' }, systemClock, silentLogger)
  notifier.ready('serving')
  let alive = true
  const unwatch = notifier.watch(() => alive)
  await untilHeard('WATCHDOG=1')
  t.same(heard.slice(0, 2), ['READY=1', 'STATUS=serving'])
  alive = false
  await systemClock.sleep(200)
  heard = []
  await systemClock.sleep(60)
  t.same(heard, [], 'a stuck pipeline is not reported alive')
  unwatch()
  notifier.stopping()
  await untilHeard('STOPPING=1')

  async function untilHeard(text: string): Promise<void> {
    for (let turn = 0; turn < 200 && !heard.includes(text); turn++) await systemClock.sleep(10)
    t.ok(heard.includes(text))
  }
})
