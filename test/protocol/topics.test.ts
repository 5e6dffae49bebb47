import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { sha256Of } from '../../src/base/digest.js'
import { type Random, seededRandom } from '../../src/base/random.js'
import { wishesPart } from '../../src/protocol/fleet-index.js'
import { isName } from '../../src/protocol/names.js'
import { decodeLevel, encodeLevel } from '../../src/protocol/topic-level.js'
import {
  clientIdOf,
  defaultRoot,
  type DeviceStateKind,
  parseTopic,
  type Topic,
  topicsBelow,
} from '../../src/protocol/topics.js'
import { projectRoot } from '../helpers/paths.js'

const topics = topicsBelow(defaultRoot)

/** What no broker is known to rewrite or refuse. */
const plainLevel = /^[A-Za-z0-9_~=-]+$/

const count = 20_000

const pick = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random.next() * items.length)]!

/** A name of one to `lengthMax` characters of all of Unicode, with more than their share of what brokers treat specially. */
function anyName(random: Random, lengthMax = 24): string {
  const special = Array.from(' .+#$/~=*>%-_\\"aZ7\u0000\u001f\u007f\u00e9\u4e16\u{1f4f7}\ufeff\ufffd')
  const length = 1 + Math.floor(random.next() * lengthMax)
  return Array.from({ length }, () => {
    if (random.next() < 0.6) return pick(random, special)
    const point = Math.floor(random.next() * 0x11_0000)
    return point >= 0xd800 && point < 0xe000 ? 'x' : String.fromCodePoint(point)
  }).join('')
}

/** A name of the product: letters, digits, dots, underscores, hyphens. */
function plainName(random: Random): string {
  const characters = Array.from('abcXYZ019._-')
  for (;;) {
    const length = 1 + Math.floor(random.next() * 64)
    const name = Array.from({ length }, () => pick(random, characters)).join('')
    if (isName(name)) return name
  }
}

function version(random: Random): string {
  const part = (): number => Math.floor(random.next() * 1000)
  const tail = pick(random, ['', '-rc.1', '-0.3.7', '-x-y.z'])
  return `${part()}.${part()}.${part()}${tail}`
}

t.test('any Unicode name survives the way through a topic level, which is plain and bounded', (t) => {
  const random = seededRandom(1)
  const names = new Map<string, string>()
  for (let round = 0; round < count; round++) {
    const name = anyName(random)
    const level = encodeLevel(name)
    if (decodeLevel(level) !== name) t.equal(decodeLevel(level), name)
    if (!plainLevel.test(level)) t.match(level, plainLevel)
    if (level.length > 3 * Buffer.byteLength(name)) t.fail(`${level} is too long for ${name}`)
    const other = names.get(level)
    if (other !== undefined && other !== name) t.fail(`${other} and ${name} have the same level`)
    names.set(level, name)
  }
  t.ok(names.size > count / 2, `${names.size} names`)
  t.end()
})

t.test('a name of the product keeps its length, and without dots it stays as it is', (t) => {
  const random = seededRandom(2)
  for (let round = 0; round < count; round++) {
    const name = plainName(random)
    if (encodeLevel(name) !== name.replaceAll('.', '~')) t.equal(encodeLevel(name), name)
  }
  t.equal(encodeLevel('line-3_cam'), 'line-3_cam')
  t.equal(encodeLevel('1.4.0-rc.1'), '1~4~0-rc~1')
  t.equal(encodeLevel('K 9'), 'K=209')
  t.equal(encodeLevel('~'), '=7E')
  t.equal(encodeLevel('K\u00fcche/+'), 'K=C3=BCche=2F=2B')
  t.end()
})

t.test('text that is no name has no level, and a level that no name has does not decode', (t) => {
  for (const name of ['', '\ud800', 'a\udfffb'])
    t.throws(() => encodeLevel(name), { code: 'protocol.name_invalid' }, JSON.stringify(name))
  const levels = [
    '',
    'a.b',
    'a b',
    '=',
    '=2',
    '=2g',
    '=e9',
    '=C3',
    '=ED=A0=80',
    '=2E',
    '=61',
    'a+',
    '#',
    '$x',
  ]
  for (const level of levels) t.equal(decodeLevel(level), undefined, level)
  const random = seededRandom(3)
  const characters = Array.from('=~0123456789ABCDEFab')
  let decoded = 0
  for (let round = 0; round < count; round++) {
    const level = Array.from({ length: 1 + (round % 9) }, () => pick(random, characters)).join('')
    const name = decodeLevel(level)
    if (name === undefined) continue
    decoded++
    if (encodeLevel(name) !== level) t.equal(encodeLevel(name), level)
  }
  t.ok(decoded > 100, `${decoded} of them are levels of a name`)
  t.end()
})

/** A topic of every kind, made of names that `random` chooses, with what it parses to besides its kind. */
function everyTopic(
  random: Random,
): Readonly<Record<Topic['kind'], readonly [topic: string, parsed: object]>> {
  const [model, device, channel, camera, command] = [
    plainName(random),
    plainName(random),
    plainName(random),
    plainName(random),
    plainName(random),
  ]
  const tag = version(random)
  const sha256 = sha256Of('blob')
  const index = Math.floor(random.next() * 65_536)
  const stateOf = (kind: DeviceStateKind): readonly [string, object] => [
    topics.deviceState(device, kind),
    { device },
  ]
  return {
    manifest: [topics.manifest(model, tag), { model, version: tag }],
    retired: [topics.retired(model, tag), { model, version: tag }],
    index: [topics.index(wishesPart), { part: wishesPart }],
    chunk: [topics.chunk(sha256, index), { sha256, index }],
    'channel-desired': [topics.channelDesired(channel), { channel }],
    'device-desired': [topics.deviceDesired(device), { device }],
    availability: stateOf('availability'),
    info: stateOf('info'),
    reported: stateOf('reported'),
    deployment: stateOf('deployment'),
    report: stateOf('report'),
    metrics: stateOf('metrics'),
    detections: [topics.detections(device, camera), { device, camera }],
    preview: [topics.preview(device, camera), { device, camera }],
    counts: [topics.counts(device, camera), { device, camera }],
    events: [topics.events(device, camera), { device, camera }],
    command: [topics.command(device, command), { device, command }],
    response: [topics.response(device, command), { device, command }],
  }
}

t.test('every topic is parsed to what it was made of, and holds nothing that a broker may rewrite', (t) => {
  const random = seededRandom(4)
  for (let round = 0; round < 500; round++) {
    for (const [kind, [topic, rest]] of Object.entries(everyTopic(random))) {
      const parsed = { kind, ...rest }
      if (round === 0) t.same(parseTopic(defaultRoot, topic), parsed, topic)
      else if (JSON.stringify(parseTopic(defaultRoot, topic)) !== JSON.stringify(parsed))
        t.same(parseTopic(defaultRoot, topic), parsed, topic)
      if (!topic.split('/').every((level) => plainLevel.test(level))) t.fail(topic)
      // AWS IoT Core takes at most 256 bytes and seven slashes.
      if (Buffer.byteLength(topic) > 256 || topic.split('/').length > 8) t.fail(topic)
    }
  }
  t.end()
})

t.test(
  'what a device says is allowed to it, and to nobody else, by the access rules of deploy/mosquitto',
  (t) => {
    const rules = readFileSync(join(projectRoot, 'deploy', 'mosquitto', 'yolo-edge.acl'), 'utf8')
    const allowed = [...rules.matchAll(/^pattern write (\S+)$/gm)].map(
      ([, pattern = '']) => new RegExp(`^${pattern.replace('%u', '[^/]+').replaceAll('+', '[^/]+')}$`),
    )
    const told = ['device-desired', 'command']
    for (const [kind, [topic]] of Object.entries(everyTopic(seededRandom(5)))) {
      const isSaid = topic.startsWith(`${defaultRoot}/devices/`) && !told.includes(kind)
      t.equal(
        allowed.some((pattern) => pattern.test(topic)),
        isSaid,
        kind,
      )
    }
    t.end()
  },
)

t.test('the client id of a device is its level: brokers refuse there what they refuse in topics', (t) => {
  t.equal(clientIdOf('cam.1'), 'cam~1')
  t.equal(topics.deviceDesired('cam.1').split('/').at(-2), clientIdOf('cam.1'))
  t.throws(() => clientIdOf('a/b'), { code: 'protocol.name_invalid' })
  t.end()
})

t.test('what is no topic of the protocol is parsed to nothing', (t) => {
  const strangers = [
    'yolo-edge/v1/devices/pi/info',
    'devices/pi/other',
    'devices/pi.local/info',
    'devices/..~/info',
    'devices/=20/info',
    'models/parts/1.0.0/manifest',
    'models/parts/1~0/manifest',
    'blobs/ab/0',
    'channels/stable/desired/more',
    'channels//desired',
  ]
  for (const topic of strangers) {
    t.equal(parseTopic(defaultRoot, topic), undefined, topic)
    t.equal(parseTopic(defaultRoot, `${defaultRoot}/${topic}`), undefined, topic)
  }
  t.end()
})

t.test('names and roots that may not be in topics are refused in words', (t) => {
  t.throws(() => topics.deviceDesired('a b'), { code: 'protocol.name_invalid', message: /"a b"/ })
  t.throws(() => topics.manifest('parts', '1.0'), { code: 'protocol.name_invalid', message: /"1\.0"/ })
  for (const root of ['', '/', 'a/', 'a.b', 'a b', '+', '#', '$SYS', 'a/b/c/d/e/f/g/h/i', 'x'.repeat(65)])
    t.throws(() => topicsBelow(root), { code: 'config.value_invalid' }, root)
  t.equal(topicsBelow('site_7/yolo-edge').root, 'site_7/yolo-edge')
  t.end()
})
