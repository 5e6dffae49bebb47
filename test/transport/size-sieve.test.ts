import { join } from 'node:path'
import t from 'tap'
import { seededRandom } from '../../src/base/random.js'
import { SizeSieve } from '../../src/transport/size-sieve.js'
import { openConnection, until } from '../helpers/broker.js'
import { Mosquitto, skipWithoutMosquitto } from '../helpers/mosquitto.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

function lengthBytes(length: number): Buffer {
  const bytes: number[] = []
  let left = length
  do {
    const byte = left % 128
    left = Math.floor(left / 128)
    bytes.push(left > 0 ? byte | 128 : byte)
  } while (left > 0)
  return Buffer.from(bytes)
}

interface Message {
  readonly topic: string
  readonly qos: 0 | 1 | 2
  readonly payload: Buffer
  /** MQTT 5: a user property of so many bytes. */
  readonly propertyBytes?: number
}

function text(value: Buffer | string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes])
}

function publishPacket(version: 4 | 5, { topic, qos, payload, propertyBytes = 0 }: Message): Buffer {
  const property =
    propertyBytes === 0
      ? Buffer.alloc(0)
      : Buffer.concat([Buffer.of(38), text('k'), text(Buffer.alloc(propertyBytes))])
  const body = Buffer.concat([
    text(topic),
    ...(qos > 0 ? [Buffer.of(1, 2)] : []),
    ...(version === 5 ? [lengthBytes(property.length), property] : []),
    payload,
  ])
  return Buffer.concat([Buffer.of(0x31 | (qos << 1)), lengthBytes(body.length), body])
}

/** A CONNACK of 3.1.1 and a ping's answer: nothing of a sieve's business. */
const others = [Buffer.of(0x20, 2, 0, 0), Buffer.of(0xd0, 0)]

const bytesMaxOf = (topic: string): number => (topic === 'narrow' ? 2000 : 50_000)

t.test(
  'packets over their limit are replaced, all others go on byte for byte, wherever the stream is cut',
  (t) => {
    const random = seededRandom(3)
    for (const version of [4, 5] as const) {
      for (let round = 0; round < 60; round++) {
        const found: [string, number][] = []
        const sieve = new SizeSieve({
          version,
          bytesMaxOf,
          onOversized: (topic, packetBytes) => found.push([topic, packetBytes]),
        })
        const expected: Buffer[] = []
        const oversized: [string, number][] = []
        const sent = Array.from({ length: 12 }, () => {
          if (random.integer(4) === 0) {
            const other = others[random.integer(others.length)]!
            expected.push(other)
            return other
          }
          const message: Message = {
            topic: random.integer(2) === 0 ? 'narrow' : 'wide',
            qos: random.integer(3) as 0 | 1 | 2,
            payload: Buffer.alloc([0, 1999, 2000, 2001, 50_000, 50_001, 200_000][random.integer(7)]!, round),
            propertyBytes: random.integer(3) === 0 ? [10, 60_000][random.integer(2)]! : 0,
          }
          const packet = publishPacket(version, message)
          const hasLongProperties = version === 5 && message.propertyBytes === 60_000
          if (message.payload.length > bytesMaxOf(message.topic) || hasLongProperties) {
            expected.push(publishPacket(version, { ...message, propertyBytes: 0, payload: sieve.mark }))
            oversized.push([message.topic, packet.length])
          } else expected.push(packet)
          return packet
        })
        const stream = Buffer.concat(sent)
        const read: Buffer[] = []
        for (let at = 0; at < stream.length;) {
          const size = 1 + random.integer(random.integer(2) === 0 ? 8 : 70_000)
          read.push(...sieve.sift(stream.subarray(at, at + size)))
          at += size
        }
        if (!Buffer.concat(read).equals(Buffer.concat(expected)))
          return t.fail(`version ${version}, round ${round}`)
        t.same(found, oversized)
      }
    }
    return t.end()
  },
)

t.test('what is no packet goes on as it is, for the client to refuse', (t) => {
  const sieve = new SizeSieve({ version: 5, bytesMaxOf, onOversized: () => t.fail('there is no message') })
  const noise = Buffer.alloc(70_000, 0xff)
  t.ok(Buffer.concat(sieve.sift(noise)).equals(noise))
  t.ok(Buffer.concat(sieve.sift(noise)).equals(noise))
  t.end()
})

for (const protocol of [4, 5] as const)
  t.test(
    `a connection of version ${protocol} acknowledges what is too large and reads what is not`,
    { skip: skipWithoutMosquitto() },
    async (t) => {
      const folder = temporaryFolder(t, {}, ['broker'])
      const broker = await Mosquitto.start({ folder: join(folder, 'broker') })
      t.teardown(() => broker.stop())
      const heard: string[] = []
      const reader = await openConnection(t, broker.url, {
        protocol,
        payloadBytesMaxOf: (topic) => (topic === 'narrow' ? 2000 : 5e6),
      })
      reader.subscribe(['narrow', 'wide'], 1, ({ topic, payload }) => {
        heard.push(`${topic} ${payload.byteLength}`)
      })
      const writer = await openConnection(t, broker.url)
      for (const bytes of [1000, 3_000_000, 1500]) {
        for (const topic of ['narrow', 'wide'])
          await writer.publish(topic, Buffer.alloc(bytes), { qos: 1, retain: false })
      }
      await until(() => heard.length === 5)
      t.same(heard, ['narrow 1000', 'wide 1000', 'wide 3000000', 'narrow 1500', 'wide 1500'])
      t.match(reader.stats(), { messagesOversized: 1, messagesReceived: 5, reconnects: 0 })
    },
  )
