import t from 'tap'
import {
  type AnnouncedCamera,
  type AnnouncedDevice,
  encodeHomeAssistantDevice,
  homeAssistantTopic,
} from '../../src/protocol/home-assistant.js'
import { topicsBelow } from '../../src/protocol/topics.js'

const topics = topicsBelow('yolo-edge/v2')
const front: AnnouncedCamera = {
  name: 'front',
  hasPictures: true,
  zones: [{ name: 'dock', classes: ['bolt'] }],
  lines: [{ name: 'gate' }],
}

interface Payload {
  readonly device: { readonly identifiers: readonly string[] }
  readonly components: Readonly<
    Record<string, Readonly<Record<string, unknown>> & { readonly value_template?: string }>
  >
}

const payloadOf = (change: Partial<AnnouncedDevice> = {}): Payload =>
  JSON.parse(
    Buffer.from(
      encodeHomeAssistantDevice({
        ...{ device: 'cam-1', topics, board: 'Pi', agentVersion: '0.1.0', cameras: [front] },
        ...change,
      }),
    ).toString(),
  ) as Payload

t.test('a device has an entity for each figure, zone, class and line, by names that hold', (t) => {
  const { components } = payloadOf()
  t.same(Object.keys(components), [
    ...['temperature', 'model', 'front', 'front-fps', 'front-latency'],
    ...['front-dock-occupied', 'front-dock-objects', 'front-dock-entered'],
    ...['front-dock-bolt-occupied', 'front-dock-bolt-objects', 'front-dock-bolt-entered'],
    ...['front-gate-forward', 'front-gate-backward'],
  ])
  t.match(components['front'], { platform: 'camera', topic: 'yolo-edge/v2/devices/cam-1/preview/front' })
  t.equal(components['front-dock-occupied']!['unique_id'], 'yolo-edge-cam-1-front-dock-occupied')
  t.same(payloadOf(), payloadOf(), 'and the same at each start')
  const keysOf = (camera: AnnouncedCamera): readonly string[] =>
    Object.keys(payloadOf({ cameras: [camera] }).components)
  t.notOk(keysOf({ ...front, hasPictures: false }).includes('front'))
  t.end()
})

t.test('devices stay apart that Home Assistant could not tell by their names', (t) => {
  const other = topicsBelow('plant/v2')
  const places = [
    [topics, 'cam.1'],
    [topics, 'cam-1'],
    [other, 'cam-1'],
  ] as const
  const names = places.map(([root, device]) => homeAssistantTopic('homeassistant', root, device))
  t.equal(new Set(names).size, 3)
  for (const name of names) t.match(name, /^homeassistant\/device\/[A-Za-z0-9_-]+\/config$/)
  t.same(
    places.map(([root, device]) => payloadOf({ topics: root, device }).device.identifiers),
    names.map((name) => [name.split('/')[2]!]),
  )
  t.end()
})

t.test('names of classes never become a part of a template', (t) => {
  const hostile = [
    '"}}{% for x in 1 %}',
    "'); drop",
    '{{ states }}',
    'Schraube M4 – ü',
    '\\',
    '\u2028',
    'a'.repeat(100),
  ]
  const camera = { ...front, zones: [{ name: 'dock', classes: hostile }] }
  const { components } = payloadOf({ cameras: [camera] })
  const templates = Object.values(components).map((each) => each.value_template ?? '')
  for (const template of templates.filter((each) => each.includes('"class"'))) {
    const strings = [...template.matchAll(/"class", "eq", "([^"]*)"/g)].map(([, text]) => text!)
    t.equal(strings.length, 1)
    t.match(strings[0], /^(?:[A-Za-z0-9 _-]|\\u[0-9a-f]{4})+$/)
    t.ok(hostile.includes(JSON.parse(`"${strings[0]!}"`) as string))
  }
  const ids = Object.values(components).map((each) => each['unique_id'])
  t.equal(new Set(ids).size, ids.length, 'each has an id of its own')
  t.ok(Object.keys(components).every((key) => /^[A-Za-z0-9_-]+$/.test(key)))
  t.end()
})

t.test('more entities than a message holds are refused in one sentence', (t) => {
  const classes = Array.from({ length: 100 }, (_, index) => `class number ${index}`)
  const zones = Array.from({ length: 16 }, (_, index) => ({ name: `zone${index}`, classes }))
  t.throws(() => payloadOf({ cameras: [{ ...front, zones }] }), {
    code: 'protocol.payload_oversized',
    message:
      /cannot announce 48\d\d entities to Home Assistant: they take \d+ bytes, expected at most 262144/,
  })
  t.end()
})
