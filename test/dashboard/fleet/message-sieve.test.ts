import t from 'tap'
import { seededRandom } from '../../../src/base/random.js'
import { MessageSieve } from '../../../src/dashboard/fleet/message-sieve.js'

type Bytes = Uint8Array<ArrayBuffer>

const bytesOf = (...parts: readonly (readonly number[] | Uint8Array)[]): Bytes =>
  Uint8Array.from(parts.flatMap((part) => [...part]))
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

function variable(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 0x80, ...variable(Math.floor(value / 128))]
}

const packet = (firstByte: number, body: Uint8Array): Bytes =>
  bytesOf([firstByte], variable(body.length), body)

const topicOf = (topic: string): Bytes =>
  bytesOf([text(topic).length >> 8, text(topic).length & 255], text(topic))

/** A PUBLISH of MQTT 5, of QoS 0 unless `flags` say otherwise. */
const publish = (topic: string, payload: string, properties: readonly number[] = [], flags = 0): Bytes =>
  packet(
    0x30 | flags,
    bytesOf(topicOf(topic), flags & 6 ? [0, 9] : [], variable(properties.length), properties, text(payload)),
  )

interface Heard {
  readonly messages: readonly (readonly [topic: string, payload: string])[]
  readonly rest: readonly number[]
}

/** What comes out of a sieve that gets `pieces` one after the other. */
function heardOf(pieces: readonly Bytes[], version: 4 | 5 = 5): Heard {
  const messages: [string, string][] = []
  const sieve = new MessageSieve(version, ({ topic, payload }) => {
    messages.push([topic, new TextDecoder().decode(payload)])
  })
  return { messages, rest: pieces.flatMap((piece) => sieve.sift(piece)).flatMap((each) => [...each]) }
}

const ping = Uint8Array.of(0xd0, 0)
const suback = packet(0x90, Uint8Array.of(0, 1, 0, 0))
const long = 'x'.repeat(20_000)

t.test('messages come out, and the client gets the rest', (t) => {
  const stream = bytesOf(
    ping,
    publish('a/b', 'one'),
    suback,
    publish('a', '', [], 1),
    publish('ü', long),
    ping,
  )
  t.same(heardOf([stream]), {
    messages: [
      ['a/b', 'one'],
      ['a', ''],
      ['ü', long],
    ],
    rest: [...ping, ...suback, ...ping],
  })
  t.end()
})

t.test('properties of a message are passed over', (t) => {
  const expiry = [2, 0, 0, 0, 60]
  const user = [38, 0, 1, 107, 0, 200, ...text('v'.repeat(200))]
  t.same(heardOf([publish('a', 'one', expiry), publish('b', 'two', user)].map((each) => each)), {
    messages: [
      ['a', 'one'],
      ['b', 'two'],
    ],
    rest: [],
  })
  t.end()
})

t.test('a message of MQTT 3.1.1 has no properties', (t) => {
  const message = packet(0x30, bytesOf(topicOf('a'), text('one')))
  t.same(heardOf([message], 4), { messages: [['a', 'one']], rest: [] })
  t.end()
})

t.test('wherever the stream is cut, the same comes out in the same order', (t) => {
  const packets = [ping, publish('a', 'one'), publish('b', long), suback, publish('a', 'two', [1, 0]), ping]
  const stream = bytesOf(...packets)
  const whole = heardOf([stream])
  t.equal(whole.messages.length, 3)
  for (let seed = 0; seed < 200; seed++) {
    const random = seededRandom(seed)
    const pieces: Bytes[] = []
    for (let start = 0; start < stream.length;) {
      const end = start + 1 + random.integer(seed % 2 === 0 ? 12 : 15_000)
      pieces.push(stream.slice(start, end))
      start = end
    }
    t.same(heardOf(pieces), whole, `seed ${seed}`)
  }
  t.same(heardOf([...stream].map((byte) => Uint8Array.of(byte))), whole, 'byte by byte')
  t.end()
})

t.test('what is no plain message is left to the client', (t) => {
  const others = [
    publish('a', 'acknowledged', [], 2),
    publish('a', 'assured', [], 4),
    publish('', 'of an alias', [35, 0, 1]),
    packet(0x30, Uint8Array.of(0)),
    packet(0x30, Uint8Array.of(0, 9, 97)),
    packet(0x30, Uint8Array.of(0, 1, 97)),
    packet(0x30, Uint8Array.of(0, 1, 97, 99, 1)),
    packet(0x30, Uint8Array.of(0, 1, 97, 0xff, 0xff, 0xff, 0xff, 1)),
  ]
  for (const other of others)
    t.same(heardOf([bytesOf(other, publish('b', 'next'))]), { messages: [['b', 'next']], rest: [...other] })
  t.end()
})

t.test('after a length that is none, everything is left to the client', (t) => {
  const broken = Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0xff, 1)
  const after = publish('b', 'next')
  t.same(heardOf([publish('a', 'one'), broken, after]), {
    messages: [['a', 'one']],
    rest: [...broken, ...after],
  })
  t.end()
})
