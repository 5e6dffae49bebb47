/** `yolo-edge setup` without a terminal: what it writes, what it keeps, and what it says of wrong answers. */

import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { generateKeys } from '../../../src/protocol/keys.js'
import { startBroker } from '../../helpers/broker.js'
import { fixture } from '../../helpers/paths.js'
import { runCommand } from '../../helpers/processes.js'

const picture = fixture('pictures', 'bmp-24.bmp')

interface Place {
  readonly file: string
  readonly keys: string
  readonly key: string
  readonly broker: string
  readonly setup: (...args: readonly string[]) => ReturnType<typeof runCommand>
}

async function place(t: Test, earlier?: string): Promise<Place> {
  const folder = t.testdir()
  const file = join(folder, 'etc/device.yaml')
  const keys = join(folder, 'keys')
  const key = join(folder, 'fleet.pub')
  writeFileSync(key, generateKeys().publicPem)
  mkdirSync(join(folder, 'etc'))
  writeFileSync(file, earlier ?? `security: { trusted_keys: '${keys}' }\n`)
  const broker = await startBroker(t)
  return {
    file,
    keys,
    key,
    broker: broker.url,
    setup: (...args) => runCommand(t, ['setup', '--config', file, ...args]),
  }
}

t.test('a device is set up from options, each of them tried', async (t) => {
  const { file, keys, key, broker, setup } = await place(t)
  const answers = [
    '--broker',
    broker,
    '--device',
    'line-3',
    '--channel',
    'beta',
    '--camera',
    `belt=${picture}`,
  ]
  const { status, stdout, stderr } = await setup(...answers, '--key', key)
  t.equal(status, 0, stderr)
  t.match(stdout, /device\.yaml is written\n.*fleet\.pub is trusted\nstart it: yolo-edge run --config /)
  t.same(parse(readFileSync(file, 'utf8')), {
    security: { trusted_keys: keys },
    device: { id: 'line-3', channel: 'beta' },
    broker: { url: broker },
    cameras: [{ name: 'belt', source: picture }],
  })
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.equal(readFileSync(join(keys, 'fleet.pub'), 'utf8'), readFileSync(key, 'utf8'))
  const before = readFileSync(file, 'utf8')
  const again = await setup('--json')
  t.equal(again.status, 0, again.stderr)
  t.equal(readFileSync(file, 'utf8'), before, 'a second run without answers changes nothing')
  t.match(JSON.parse(again.stdout), { config: file, service: { state: 'left' } })
})

t.test('what is not asked for stays, comments and options of cameras included', async (t) => {
  const earlier = [
    '# of the second hall',
    'security: { allow_unsigned: true }',
    'broker:',
    '  urls: [mqtt://127.0.0.1:1]',
    '  keepalive_s: 20 # a slow link',
    'cameras:',
    '  - { name: belt, source: /dev/video9, max_fps: 5 }',
    '',
  ].join('\n')
  const { file, broker, setup } = await place(t, earlier)
  const { status, stderr } = await setup('--broker', broker, '--camera', `belt=${picture}`)
  t.equal(status, 0, stderr)
  const text = readFileSync(file, 'utf8')
  t.match(text, '# of the second hall')
  t.match(text, 'keepalive_s: 20 # a slow link')
  t.match(parse(text), {
    broker: { url: broker, urls: undefined },
    cameras: [{ name: 'belt', source: picture, max_fps: 5 }],
  })
})

t.test('a wrong answer is told in a sentence, and nothing is written', async (t) => {
  const { file, keys, key, broker, setup } = await place(t)
  const before = readFileSync(file, 'utf8')
  const good = ['--broker', broker, '--device', 'a', '--key', key]
  const cases: readonly (readonly [args: readonly string[], said: RegExp, status: number])[] = [
    [['--broker', 'http://x'], /broker http:\/\/x: expected a URL that starts with mqtt:\/\//, 2],
    [['--broker', 'mqtt://127.0.0.1:1'], /cannot reach|127\.0\.0\.1:1/, 6],
    [['--device', 'a b'], /device name "a b" is not 1 to 64/, 3],
    [['--channel', '#'], /channel name "#" is not/, 3],
    [['--camera', '/dev/video0'], /camera \/dev\/video0: expected NAME=ADDRESS/, 2],
    [['--camera', 'x=/no/such/file.mp4'], /\/no\/such\/file\.mp4/, 7],
    [['--key', '/no/such.pub'], /cannot read the public key \/no\/such\.pub/, 4],
    [['--key', picture], /cannot use the public key .*bmp-24\.bmp/, 4],
  ]
  for (const [args, said, expected] of cases) {
    const { status, stderr } = await setup(...good, ...args)
    t.match(stderr, said, args.join(' '))
    t.equal(stderr.split('\n').filter((line) => line !== '' && !line.startsWith('hint:')).length, 1, stderr)
    t.equal(status, expected, args.join(' '))
  }
  const keyless = await setup('--broker', broker)
  t.match(keyless.stderr, /Public key of the fleet .* is not known: expected --key/)
  t.equal(readFileSync(file, 'utf8'), before)
  t.notOk(existsSync(keys))
})

t.test('a file of settings that is wrong is left alone', async (t) => {
  const { file, broker, setup } = await place(t, 'broker: { keepalive_s: soon }\n')
  const { status, stderr } = await setup('--broker', broker)
  t.equal(status, 2)
  t.match(stderr, /broker\.keepalive_s: expected a whole number/)
  t.equal(readFileSync(file, 'utf8'), 'broker: { keepalive_s: soon }\n')
})
