import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { openConnection, startBroker } from '../helpers/broker.js'
import type { EmbeddedBroker } from '../../src/transport/embedded-broker.js'

function startWebBroker(t: Test): Promise<EmbeddedBroker> {
  return startBroker(t, { webSocketPort: 0 })
}

/** Sends an upgrade request and then `frames`; resolves with all that came back until the server ended it. */
function talk(
  broker: EmbeddedBroker,
  headers: Record<string, string>,
  frames: Buffer[] = [],
): Promise<Buffer> {
  const { hostname, port } = new URL(broker.webSocketUrl)
  const lines = Object.entries({
    host: 'broker',
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-protocol': 'mqtt',
    ...headers,
  }).map(([name, value]) => `${name}: ${value}`)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname)
    const heard: Buffer[] = []
    socket.on('data', (bytes) => heard.push(bytes))
    socket.on('error', reject)
    socket.on('close', () => {
      resolve(Buffer.concat(heard))
    })
    socket.write(`GET / HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
    for (const frame of frames) socket.write(frame)
  })
}

function frame(first: number, payload: Buffer, isMasked = true): Buffer {
  const mask = randomBytes(4)
  const masked = payload.map((byte, index) => byte ^ mask[index & 3]!)
  const length =
    payload.length < 126
      ? Buffer.of(payload.length | (isMasked ? 0x80 : 0))
      : Buffer.of(126 | 0x80, payload.length >> 8, payload.length & 0xff)
  return Buffer.concat(
    isMasked ? [Buffer.of(first), length, mask, masked] : [Buffer.of(first), length, payload],
  )
}

/** The close frame at the end of an answer. */
const closeCode = (answer: Buffer): number =>
  answer.at(-4) === 0x88 && answer.at(-3) === 2 ? answer.readUInt16BE(answer.length - 2) : 0

t.test('clients over WebSocket and over TCP hear each other, whatever the size of a message', async (t) => {
  const broker = await startWebBroker(t)
  const web = await openConnection(t, broker.webSocketUrl)
  const plain = await openConnection(t, broker.url)
  t.equal(broker.webSocketCount, 1)
  const echoes = new Map<number, Buffer>()
  const allHeard = new Promise<void>((resolve) => {
    web.subscribe(['back'], 1, ({ payload }) => {
      echoes.set(payload.length, Buffer.from(payload))
      if (echoes.size === sizes.length) resolve()
    })
  })
  const sizes = [1, 100, 130, 20_000, 70_000, 500_000]
  await plain.subscribe(['there'], 1, ({ payload }) => void plain.publish('back', payload, { qos: 1 }))
    .outcome
  const messages = sizes.map((size) => randomBytes(size))
  for (const message of messages) await web.publish('there', message, { qos: 1 })
  await allHeard
  t.ok(messages.every((message) => echoes.get(message.length)?.equals(message) === true))
  await web.stop()
  for (let turn = 0; turn < 200 && broker.webSocketCount > 0; turn++)
    await new Promise((resolve) => setTimeout(resolve, 10))
  t.equal(broker.webSocketCount, 0)
})

t.test('the handshake is the one of RFC 6455, and frames may come in any pieces', async (t) => {
  const broker = await startWebBroker(t)
  const connectPacket = Buffer.from('100d00044d5154540402003c000161', 'hex')
  const whole = frame(0x82, connectPacket)
  const pieces = Array.from(whole, (byte) => Buffer.of(byte))
  const answer = await talk(broker, {}, [
    frame(0x89, Buffer.from('hi')),
    ...pieces,
    frame(0x88, Buffer.of(3, 232)),
  ])
  const text = answer.toString('latin1')
  t.match(text, 'HTTP/1.1 101')
  t.match(text, 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
  t.match(text, 'Sec-WebSocket-Protocol: mqtt')
  t.ok(answer.includes(Buffer.from('8a026869', 'hex')), 'a ping is answered')
  t.equal(closeCode(answer), 1000)
})

t.test('what is no MQTT over WebSocket is refused', async (t) => {
  const broker = await startWebBroker(t)
  const status = async (headers: Record<string, string>): Promise<string> =>
    (await talk(broker, headers)).toString('latin1').slice(9, 12)
  t.equal(await status({ 'sec-websocket-protocol': 'chat' }), '400')
  t.equal(await status({ 'sec-websocket-version': '8' }), '400')
  t.equal(await status({ origin: 'https://elsewhere.example' }), '403')
  t.equal(await status({ origin: 'null' }), '403')
  t.equal((await fetch(broker.webSocketUrl.replace('ws:', 'http:'))).status, 426)
  t.equal(broker.webSocketCount, 0)
})

t.test('wrong frames end the connection with their code', async (t) => {
  const broker = await startWebBroker(t)
  const code = async (bytes: Buffer): Promise<number> =>
    closeCode(await talk(broker, { origin: 'http://localhost:8080' }, [bytes]))
  t.equal(await code(frame(0x82, Buffer.of(1), false)), 1002, 'a frame without a mask')
  t.equal(await code(frame(0x81, Buffer.from('text'))), 1003, 'text')
  t.equal(await code(frame(0xc2, Buffer.of(1))), 1002, 'a reserved bit')
  t.equal(await code(frame(0x83, Buffer.of(1))), 1002, 'an unknown kind')
  t.equal(await code(frame(0x09, Buffer.of(1))), 1002, 'a ping in parts')
  t.equal(await code(frame(0x89, Buffer.alloc(126))), 1002, 'a long ping')
  const connection = await openConnection(t, broker.webSocketUrl)
  t.match(await connection.publish('a', 'b', { qos: 1 }), { status: 'sent' }, 'the others go on')
})
