import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../src/config/load.js'

t.test('without a file every setting has its default and the whole is frozen', (t) => {
  const config = loadConfig({ env: {} })
  t.equal(config.broker.protocolVersion, 5)
  t.equal(config.delivery.windowChunks, 32)
  t.ok(config.device.id.length > 0)
  t.same(config.cameras, [])
  t.ok(Object.isFrozen(config) && Object.isFrozen(config.broker))
  t.end()
})

t.test('file, environment and flags: later wins', (t) => {
  const folder = t.testdir({
    'device.yaml':
      'broker:\n  url: mqtt://file:1\n  keepalive_s: 7\ninference:\n  conf: 0.4\ncameras:\n  - name: door\n    source: /dev/video0\n',
  })
  const config = loadConfig({
    file: join(folder, 'device.yaml'),
    env: { YOLO_EDGE_BROKER_URL: 'mqtt://env:2', YOLO_EDGE_INFERENCE_CONF: '0.5' },
    overrides: new Map<string, unknown>([['broker.url', 'mqtt://flag:3']]),
  })
  t.equal(config.broker.url, 'mqtt://flag:3')
  t.equal(config.broker.keepaliveS, 7)
  t.equal(config.inference.conf, 0.5)
  t.same(config.cameras, [{ name: 'door', source: '/dev/video0', maxFps: 0, loop: false }])
  t.end()
})

t.test('cameras come from the environment as name=source', (t) => {
  const config = loadConfig({ env: { YOLO_EDGE_CAMERAS: 'a=/dev/video0,b=rtsp://host/x?y=1' } })
  t.same(
    config.cameras.map((camera) => [camera.name, camera.source]),
    [
      ['a', '/dev/video0'],
      ['b', 'rtsp://host/x?y=1'],
    ],
  )
  t.end()
})

t.test('all problems are told at once, each with its path and what was expected', (t) => {
  const folder = t.testdir({
    'bad.yaml':
      'broker:\n  url: http://x\n  keepalive_s: 1\n  typo: 1\ninference:\n  conf: 2\ncameras:\n  - name: a/b\n    source: x\n',
  })
  try {
    loadConfig({ file: join(folder, 'bad.yaml'), env: {}, overrides: new Map([['no.such', 1]]) })
    t.fail('should refuse')
  } catch (error) {
    t.match(error, { code: 'config.value_invalid' })
    const { message } = error as Error
    t.match(message, /broker\.url: expected a URL that starts with mqtt/)
    t.match(message, /broker\.keepalive_s: expected a whole number 5\.\.3600/)
    t.match(message, /broker\.typo: no such setting/)
    t.match(message, /inference\.conf: expected a number 0\.\.1/)
    t.match(message, /cameras: entry 0: name: expected a name of/)
    t.match(message, /no\.such: no such setting/)
  }
  t.end()
})

t.test('an unreadable, malformed or shapeless file is one clear sentence', (t) => {
  const folder = t.testdir({
    'broken.yaml': 'broker: [',
    'list.yaml': '- 1\n',
    'scalar.yaml': 'broker: 5\n',
    'empty.yaml': '',
  })
  t.throws(() => loadConfig({ file: join(folder, 'absent.yaml'), env: {} }), {
    code: 'config.file_unreadable',
  })
  t.throws(() => loadConfig({ file: join(folder, 'broken.yaml'), env: {} }), {
    code: 'config.file_unreadable',
  })
  t.throws(() => loadConfig({ file: join(folder, 'list.yaml'), env: {} }), { code: 'config.file_unreadable' })
  t.throws(() => loadConfig({ file: join(folder, 'scalar.yaml'), env: {} }), { code: 'config.value_invalid' })
  t.equal(loadConfig({ file: join(folder, 'empty.yaml'), env: {} }).log.level, 'info')
  t.end()
})

t.test('settings that belong together are checked together', (t) => {
  const overrides = new Map<string, unknown>([
    ['broker.cert_file', '/c.pem'],
    ['broker.password', 'x'],
    ['broker.password_file', '/p'],
    ['device.id', 'a/b'],
  ])
  t.throws(() => loadConfig({ env: {}, overrides }), {
    message: /cert_file and broker\.key_file[^]*password_file|device\.id/,
  })
  t.end()
})

t.test('text in the environment that is no number is refused, not turned into zero', (t) => {
  t.throws(() => loadConfig({ env: { YOLO_EDGE_INFERENCE_THREADS: 'many' } }), {
    message: /inference\.threads: expected/,
  })
  t.end()
})
