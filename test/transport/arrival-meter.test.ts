import t from 'tap'
import { ArrivalMeter } from '../../src/transport/arrival-meter.js'

/** A packet of MQTT 3.1.1 with this first byte. */
function packet(first: number, body: Buffer): Buffer {
  const length: number[] = []
  let rest = body.length
  do {
    length.push((rest % 128) + (rest >= 128 ? 128 : 0))
    rest = Math.floor(rest / 128)
  } while (rest > 0)
  return Buffer.concat([Buffer.from([first, ...length]), body])
}

function publish(topic: string, sizeBytes: number): Buffer {
  const name = Buffer.from(topic)
  return packet(0x30, Buffer.concat([Buffer.from([0, name.length]), name, Buffer.alloc(sizeBytes)]))
}

const stream = Buffer.concat([
  packet(0xd0, Buffer.alloc(0)),
  publish('a/b', 10),
  publish('chunk', 70_000),
  packet(0x90, Buffer.from([0, 1, 0])),
  publish('a/b', 0),
  publish('a/b', 5),
])

t.test('the bytes of each message are counted under its topic, wherever the stream is cut', (t) => {
  for (const size of [1, 2, 3, 7, 100, 4096, stream.length]) {
    const counted = new Map<string, number>()
    const meter = new ArrivalMeter((topic, bytes) => counted.set(topic, (counted.get(topic) ?? 0) + bytes))
    for (let at = 0; at < stream.length; at += size) meter.take(stream.subarray(at, at + size))
    t.same(
      [...counted],
      [
        ['a/b', 15],
        ['chunk', 70_000],
      ],
    )
  }
  t.end()
})

t.test('a part of a message counts before the rest has come', (t) => {
  const seen: [string, number][] = []
  const meter = new ArrivalMeter((topic, bytes) => seen.push([topic, bytes]))
  meter.take(publish('chunk', 1000).subarray(0, 500))
  t.match(seen, [['chunk', Number]])
  t.ok(seen[0]![1] > 400)
  t.end()
})

t.test('what is no MQTT is not counted, and does no harm', (t) => {
  let count = 0
  const meter = new ArrivalMeter(() => count++)
  meter.take(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]))
  meter.take(publish('a', 10))
  t.equal(count, 0)
  t.end()
})
