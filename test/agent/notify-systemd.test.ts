import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { serviceNotifier } from '../../src/agent/notify-systemd.js'
import { systemClock } from '../../src/base/clock.js'
import { silentLogger } from '../../src/base/logger.js'

t.test('outside systemd nothing happens', (t) => {
  const notifier = serviceNotifier({}, systemClock, silentLogger)
  notifier.ready('x')
  notifier.stopping()
  notifier.watch(() => true)()
  t.end()
})

t.test('ready, watchdog and stopping reach the socket', async (t) => {
  // A socket path has at most 107 bytes: the test folder's would be too long.
  const folder = mkdtempSync(join(tmpdir(), 'yolo-edge-'))
  t.teardown(() => {
    rmSync(folder, { recursive: true })
  })
  const path = join(folder, 'notify')
  // Node has no unix datagram sockets: perl, which every Debian has, plays systemd and prints what arrives.
  const listener = spawn('perl', [
    '-MIO::Socket::UNIX',
    '-MSocket',
    '-e',
    '$|=1; my $s=IO::Socket::UNIX->new(Type=>SOCK_DGRAM,Local=>$ARGV[0]) or die; print "up\n"; my $m; while(1){ $s->recv($m,4096); print "$m\n"; }',
    path,
  ])
  t.teardown(() => listener.kill('SIGKILL'))
  let heard = ''
  listener.stdout.on('data', (piece: Buffer) => (heard += piece.toString()))
  await once(listener.stdout, 'data')

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
  t.match(heard, /READY=1\nSTATUS=serving/)
  alive = false
  await systemClock.sleep(200)
  heard = ''
  await systemClock.sleep(60)
  t.notMatch(heard, /WATCHDOG/, 'a stuck pipeline is not reported alive')
  unwatch()
  notifier.stopping()
  await untilHeard('STOPPING=1')

  async function untilHeard(text: string): Promise<void> {
    for (let turn = 0; turn < 200 && !heard.includes(text); turn++) await systemClock.sleep(10)
    t.match(heard, text)
  }
})
