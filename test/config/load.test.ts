import { join } from 'node:path'
import t from 'tap'
import type { Config } from '../../src/config/config.js'
import { loadConfig } from '../../src/config/load.js'
import { camerasMax } from '../../src/protocol/limits.js'
import { encodeMetrics, parseMetrics } from '../../src/protocol/metrics.js'
import { isName } from '../../src/protocol/names.js'

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

t.test('no problem repeats a secret', (t) => {
  const folder = t.testdir({
    'line.yaml': 'cameras:\n  - name: a\n    source: rtsp://u:Secret1@cam/1: [\n',
    'alias.yaml': 'broker:\n  password: *Secret1\n',
    'scalar.yaml':
      'broker:\n  password: 123\n  url: http://u:Secret1@broker\ncameras:\n  - name: a b\n    source: rtsp://u:Secret1@cam/1\n',
  })
  for (const name of ['line.yaml', 'alias.yaml', 'scalar.yaml']) {
    try {
      loadConfig({
        file: join(folder, name),
        env: {},
        overrides: new Map([['rtsp://u:Secret1@cam/1?x', 1]]),
      })
      t.fail('should refuse')
    } catch (error) {
      t.notMatch((error as Error).message, /Secret1|123/, name)
      t.match((error as Error).message, /line|quotes|broker\.password/, name)
    }
  }
  t.end()
})

t.test('cameras that could not be told apart, or would not be seen, are refused', (t) => {
  const cameras = (names: readonly string[]): Config['cameras'] =>
    loadConfig({ env: {}, overrides: new Map([['cameras', names.map((name) => ({ name, source: 'x' }))]]) })
      .cameras
  const many = Array.from({ length: camerasMax + 1 }, (_, index) => `camera${index}`)
  t.equal(cameras(many.slice(1)).length, 64)
  t.throws(() => cameras(many), { message: /at most 64 cameras, got 65/ })
  t.throws(() => cameras(['door', 'door']), { message: /door is used twice/ })
  t.throws(() => cameras(['Door', 'door']), { message: /Door and door differ only in case/ })
  for (const name of ['a b', 'door.', '-door', 'a..b', 'a/b', '', 'x'.repeat(65)]) {
    t.notOk(isName(name))
    t.throws(() => cameras([name]), { message: /entry 0: name: expected/ }, name)
  }
  t.end()
})

t.test('64 cameras with long names fit into what a device says of itself', (t) => {
  const names = Array.from({ length: camerasMax }, (_, index) => `${'x'.repeat(62)}${10 + index}`)
  const latency = {
    count: 1e6,
    p50Ms: 1234.5678901,
    p95Ms: 1234.5678901,
    p99Ms: 1234.5678901,
    maxMs: 1234.5678901,
    meanMs: 1234.56789,
  }
  const cameras = names.map((name) => ({
    name,
    ...{ captured: 1e12, processed: 1e12, dropped: 1e12, restarts: 1e6, errors: 1e6 },
    ...{ capturedFps: 29.970123456789, processedFps: 29.970123456789, inference: latency, endToEnd: latency },
  }))
  const metrics = {
    ...{ at: new Date(0).toISOString(), sequence: 1, windowMs: 1, uptimeMs: 1, agentMemoryBytes: 1 },
    ...{ outboxDepth: 0, outboxDropped: 0, publishesDropped: 0, reconnects: 0, cameras },
  }
  t.equal(parseMetrics(encodeMetrics(metrics)).cameras.length, 64)
  t.end()
})

t.test('a comma in an address from the environment stays in it', (t) => {
  const { cameras } = loadConfig({
    env: { YOLO_EDGE_CAMERAS: 'a=rtsp://u:p,w@cam/1?x=1,2,b=/dev/video0,/dev/video1,rtsp://cam/2?c=3' },
  })
  t.same(
    cameras.map(({ name, source }) => [name, source]),
    [
      ['a', 'rtsp://u:p,w@cam/1?x=1,2'],
      ['b', '/dev/video0'],
      ['camera2', '/dev/video1'],
      ['camera3', 'rtsp://cam/2?c=3'],
    ],
  )
  t.end()
})

t.test('zones that are wrong are told with their camera, others come with shares of the picture', (t) => {
  const load = (scene: object): Config =>
    loadConfig({ env: {}, overrides: new Map([['cameras', [{ name: 'door', source: 'x', ...scene }]]]) })
  const corners = [
    [0, 0],
    [1, 0],
    [0, 1],
  ]
  t.match(load({ zones: [{ name: 'dock', polygon: corners }] }).cameras, [
    { scene: { zones: [{ name: 'dock', polygon: corners, dwellMs: 0 }], lines: [], masks: [], filters: [] } },
  ])
  t.notOk('scene' in load({}).cameras[0]!)
  t.throws(() => load({ zones: [{ name: 'dock', polygon: corners.slice(1) }] }), {
    message: /cameras: entry 0: zones: dock: polygon has 2 points: expected 3 to 64/,
  })
  t.throws(() => load({ zone: [] }), {
    message: /unknown key zone; known are name, .*, zones, lines, masks, filters/,
  })
  t.end()
})

t.test('events without zones, and pictures that are not to be sent, are refused', (t) => {
  const load = (...overrides: readonly (readonly [string, unknown])[]): Config =>
    loadConfig({ env: {}, overrides: new Map(overrides) })
  const line = { name: 'gate', from: [0, 0], to: [1, 1] }
  const camera = ['cameras', [{ name: 'door', source: 'x', lines: [line] }]] as const
  t.throws(() => load(['events.enabled', true]), {
    message: /events\.enabled: no camera has anything to tell of/,
  })
  t.equal(load(['events.enabled', true], camera).events.enabled, true)
  const pictures = [['homeassistant.enabled', true] as const, ['homeassistant.picture_s', 5] as const]
  t.equal(load(...pictures).homeassistant.pictureS, 5)
  t.throws(() => load(...pictures, ['telemetry.previews', false]), { message: /expected picture_s 0/ })
  t.end()
})
