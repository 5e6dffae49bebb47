import { once } from 'node:events'
import t, { type Test } from 'tap'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { silentLogger } from '../../src/base/logger.js'
import { seededRandom } from '../../src/base/random.js'
import { MqttConnection } from '../../src/transport/mqtt-connection.js'
import type { IncomingMessage } from '../../src/transport/mqtt-session.js'
import { openConnection, startBroker, startConnection, until } from '../helpers/broker.js'
import { freePort, Mosquitto, skipWithoutMosquitto } from '../helpers/mosquitto.js'
import { MqttProxy } from '../helpers/mqtt-proxy.js'

const textOf = (message: IncomingMessage): string => Buffer.from(message.payload).toString()

t.test('falls back to MQTT 3.1.1 on a broker that does not know MQTT 5', async (t) => {
  const broker = await startBroker(t)
  const connection = await openConnection(t, broker.url)
  t.equal(connection.stats().protocolVersion, 4)
})

t.test('messages reach the listeners of matching filters only', async (t) => {
  const broker = await startBroker(t)
  const connection = await openConnection(t, broker.url)
  const seen: string[] = []
  const note = (name: string) => (message: IncomingMessage) => {
    seen.push(`${name} ${message.topic} ${textOf(message)}`)
  }
  await connection.subscribe(['a/b'], 1, note('plain')).outcome
  const wild = connection.subscribe(['a/+', 'c/#'], 0, note('wild'))
  t.same(await wild.outcome, { status: 'granted' })
  t.same(await connection.publish('a/b', '1', { qos: 1 }), { status: 'sent' })
  await connection.publish('c/d/e', '2', { qos: 0 })
  await until(() => seen.length >= 3)
  t.same(seen.sort(), ['plain a/b 1', 'wild a/b 1', 'wild c/d/e 2'])
  await wild.close()
  await connection.publish('a/x', '3', { qos: 1 })
  await connection.publish('a/b', '4', { qos: 1 })
  await until(() => seen.length >= 4)
  t.equal(seen[3], 'plain a/b 4')
})

t.test('a listener that refuses a payload does not end the connection', async (t) => {
  const broker = await startBroker(t)
  const connection = await openConnection(t, broker.url)
  const { AgentError } = await import('../../src/base/errors.js')
  let count = 0
  await connection.subscribe(['x'], 1, () => {
    count++
    throw new AgentError('protocol.payload_malformed', 'cannot accept it')
  }).outcome
  await connection.publish('x', '1', { qos: 1 })
  await connection.publish('x', '2', { qos: 1 })
  await until(() => count === 2)
  t.equal(connection.stats().reconnects, 0)
})

t.test('subscriptions and retained state are back after a cut', async (t) => {
  const broker = await startBroker(t)
  const observer = await openConnection(t, broker.url)
  const states: string[] = []
  await observer.subscribe(['state'], 1, (message) => states.push(textOf(message))).outcome
  const connection = await openConnection(t, broker.url)
  const seen: string[] = []
  await connection.subscribe(['down'], 1, (message) => seen.push(textOf(message))).outcome
  await connection.publishState('state', Buffer.from('first'))
  await until(() => states.includes('first'))
  broker.disconnectAll()
  await until(() => connection.stats().reconnects === 1 && observer.stats().reconnects === 1)
  await connection.publishState('state', Buffer.from('second'))
  await until(() => states.includes('second'))
  await observer.requireOnline(5000)
  await connection.requireOnline(5000)
  await until(() => observer.isOnline)
  await observer.publish('down', 'hello', { qos: 1 })
  await until(() => seen.length > 0)
  t.same(seen, ['hello'])
})

t.test('without a connection a message is dropped and counted, and state waits', async (t) => {
  const port = await freePort()
  const connection = await startConnection(t, `mqtt://127.0.0.1:${port}`)
  t.same(await connection.publish('a', 'b', { qos: 0 }), { status: 'offline' })
  t.same(await connection.publish('a', 'b', { qos: 1 }), { status: 'offline' })
  await connection.publishState('state', Buffer.from('kept'))
  t.equal(connection.stats().publishesDropped, 2)
  await t.rejects(connection.requireOnline(100), { code: 'network.broker_unreachable' })
  const broker = await startBroker(t, { port })
  const observer = await openConnection(t, broker.url)
  const states: string[] = []
  await observer.subscribe(['state'], 1, (message) => states.push(textOf(message))).outcome
  // The broker may hand it over twice: as retained, and as it arrives.
  await until(() => states.length > 0)
  t.ok(states.every((state) => state === 'kept'))
})

t.test('wrong credentials are told apart from an unreachable broker, at once', async (t) => {
  const broker = await startBroker(t, { authenticate: (user, password) => user === 'u' && password === 'p' })
  const wrong = await startConnection(t, broker.url, { username: 'u', password: 'x', protocol: 4 })
  await t.rejects(wrong.requireOnline(60_000), {
    code: 'network.broker_refused',
    message: /user name or password is wrong$/,
  })
  const right = await openConnection(t, broker.url, { username: 'u', password: 'p' })
  t.ok(right.isOnline)
})

t.test('stop ends soon when the broker never answers', async (t) => {
  const server = createServer(() => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const connection = await startConnection(t, `mqtt://127.0.0.1:${port}`, { connectTimeoutMs: 300 })
  await new Promise((resolve) => setTimeout(resolve, 50))
  await connection.stop()
  t.notOk(connection.isOnline)
  server.close()
})

t.test('a peer that acknowledges nothing is left, and messages that wait get their outcome', async (t) => {
  const broker = await startBroker(t)
  const proxy = await MqttProxy.start({ brokerPort: Number(new URL(broker.url).port), lostShare: 1 })
  t.teardown(() => proxy.stop())
  const connection = await openConnection(t, proxy.url, { acknowledgeTimeoutMs: 200 })
  t.match(await connection.publish('a', 'b', { qos: 1 }), {
    status: 'offline',
    error: { code: 'network.connection_lost', message: /nothing was acknowledged/ },
  })
  await until(() => connection.stats().reconnects >= 1)
  await connection.requireOnline(5000)
})

t.test('availability is online while connected and stopped after a stop', async (t) => {
  const broker = await startBroker(t)
  const observer = await openConnection(t, broker.url)
  const states: string[] = []
  await observer.subscribe(['me/availability'], 1, (message) => states.push(textOf(message))).outcome
  const connection = await openConnection(t, broker.url, { availabilityTopic: 'me/availability' })
  await until(() => states.length === 1)
  await connection.stop()
  await connection.stop()
  await until(() => states.length === 2)
  t.same(states, ['online', 'stopped'])
})

t.test('an address that is no broker is refused before anything connects', (t) => {
  for (const url of ['', 'http://x', 'mqtt://', 'mqtt://user:secret@host']) {
    t.throws(() => new MqttConnection({ url, clientId: 'c' }, { logger: silentLogger }), {
      code: 'config.value_invalid',
      message: /^(?!.*secret)/,
    })
  }
  t.end()
})

t.test('rubbish from the broker closes the session and nothing else', async (t) => {
  const random = seededRandom(7)
  const connack4 = Buffer.from([0x20, 2, 0, 0])
  let connections = 0
  const server = createServer((socket) => {
    connections++
    socket.on('error', () => undefined)
    socket.once('data', () => {
      if (random.next() < 0.7) socket.write(connack4)
      const size = 1 + random.integer(200)
      const rubbish = Buffer.from(Array.from({ length: size }, () => random.integer(256)))
      socket.write(rubbish)
      setTimeout(() => socket.destroy(), 3)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const connection = await startConnection(t, `mqtt://127.0.0.1:${port}`, {
    backoff: { firstMs: 1, capMs: 2 },
    connectTimeoutMs: 500,
  })
  connection.subscribe(['a/#'], 1, () => undefined)
  const publishing = setInterval(() => void connection.publish('a', 'b', { qos: 1 }), 2)
  await until(() => connections >= 150)
  clearInterval(publishing)
  await connection.stop()
  server.close()
  t.ok(connections >= 150)
})

t.test('with a real Mosquitto', { skip: skipWithoutMosquitto() }, async (t) => {
  const broker = await Mosquitto.start({ folder: t.testdir(), hasWebSocket: true })
  t.teardown(() => broker.stop())

  for (const protocol of [5, 4] as const) {
    t.test(`version ${protocol}: the will says offline when the connection is cut`, async (t) => {
      const observer = await openConnection(t, broker.url, { protocol })
      const topic = `d${protocol}/availability`
      const states: string[] = []
      await observer.subscribe([topic], 1, (message) => states.push(textOf(message))).outcome
      // A relay that can be cut without a DISCONNECT.
      const relay = createServer((near) => {
        const far = connect(broker.port, '127.0.0.1')
        near.pipe(far).pipe(near)
        near.on('error', () => far.destroy())
        far.on('error', () => near.destroy())
        near.on('close', () => far.destroy())
        cut = () => {
          near.destroy()
          far.destroy()
        }
      })
      let cut = (): void => undefined
      await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve))
      const { port } = relay.address() as AddressInfo
      const connection = await openConnection(t, `mqtt://127.0.0.1:${port}`, {
        protocol,
        availabilityTopic: topic,
      })
      t.equal(connection.stats().protocolVersion, protocol)
      await until(() => states.length === 1)
      cut()
      await until(() => states.length >= 3)
      t.same(states.slice(0, 3), ['online', 'offline', 'online'])
      await connection.stop()
      await until(() => states.at(-1) === 'stopped')
      relay.close()
    })
  }

  t.test('connects through a WebSocket', async (t) => {
    const connection = await openConnection(t, `ws://127.0.0.1:${broker.webSocketPort}`)
    const seen: string[] = []
    await connection.subscribe(['ws'], 1, (message) => seen.push(textOf(message))).outcome
    t.same(await connection.publish('ws', 'x', { qos: 1 }), { status: 'sent' })
    await until(() => seen.length === 1)
  })

  t.test('MQTT 5 carries response topic and correlation data', async (t) => {
    const connection = await openConnection(t, broker.url, { protocol: 5 })
    const seen: IncomingMessage[] = []
    await connection.subscribe(['cmd'], 1, (message) => seen.push(message)).outcome
    await connection.publish('cmd', 'x', { qos: 1, responseTopic: 'answer', correlation: Buffer.from('42') })
    await until(() => seen.length === 1)
    t.equal(seen[0]?.responseTopic, 'answer')
    t.equal(Buffer.from(seen[0]?.correlation ?? []).toString(), '42')
  })

  t.test('a broker that is killed and forgets everything gets the state again', async (t) => {
    const own = await Mosquitto.start({ folder: t.testdir() })
    t.teardown(() => own.stop())
    const connection = await openConnection(t, own.url, { availabilityTopic: 'a' })
    const seen: string[] = []
    await connection.subscribe(['down'], 1, (message) => seen.push(textOf(message))).outcome
    await connection.publishState('info', Buffer.from('state'))
    await own.kill('SIGKILL')
    await until(() => !connection.isOnline)
    await own.run()
    await connection.requireOnline(10_000)
    const observer = await openConnection(t, own.url)
    const states: string[] = []
    await observer.subscribe(['info', 'a'], 1, (message) => states.push(textOf(message))).outcome
    await until(() => states.length === 2)
    t.same(states.sort(), ['online', 'state'])
    await observer.publish('down', 'again', { qos: 1 })
    await until(() => seen.length === 1)
  })

  t.test('a filter that the broker does not grant is named', async (t) => {
    const folder = t.testdir({ acl: 'topic readwrite ok/#\n' })
    const strict = await Mosquitto.start({ folder, lines: [`acl_file ${folder}/acl`] })
    t.teardown(() => strict.stop())
    const connection = await openConnection(t, strict.url, { protocol: 5 })
    const granted = await connection.subscribe(['ok/a'], 1, () => undefined).outcome
    t.same(granted, { status: 'granted' })
    const refused = await connection.publish('secret/a', 'x', { qos: 1 })
    t.equal(refused.status, 'refused')
  })
})

/** A broker of MQTT 5 that takes three messages at once and acknowledges each late; counts what is on its way. */
async function startThreeAtOnce(t: Test) {
  const figures = { most: 0, taken: 0 }
  const server = createServer((socket) => {
    let bytes = Buffer.alloc(0)
    let onTheirWay = 0
    socket.on('error', () => undefined)
    socket.on('data', (piece: Buffer) => {
      bytes = Buffer.concat([bytes, piece])
      // Every packet of this test is short: one byte tells its length.
      while (bytes.length >= 2 && bytes.length >= 2 + bytes[1]!) {
        const packet = bytes.subarray(0, 2 + bytes[1]!)
        bytes = bytes.subarray(packet.length)
        // CONNACK with the property Receive Maximum (0x21) of 3.
        if (packet[0]! >> 4 === 1) socket.write(Buffer.from([0x20, 6, 0, 0, 3, 0x21, 0, 3]))
        if (packet[0]! >> 4 !== 3) continue
        figures.most = Math.max(figures.most, ++onTheirWay)
        figures.taken++
        const idAt = 4 + packet.readUInt16BE(2)
        const id = Buffer.from(packet.subarray(idAt, idAt + 2))
        setTimeout(() => {
          onTheirWay--
          socket.write(Buffer.concat([Buffer.from([0x40, 2]), id]))
        }, 5)
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`, figures }
}

t.test('no more messages are on their way than the broker takes at once', async (t) => {
  const { url, figures } = await startThreeAtOnce(t)
  const connection = await openConnection(t, url)
  t.equal(connection.brokerLimits?.receiveMax, 3)
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, (_, index) => connection.publish('a', String(index), { qos: 1 })),
  )
  t.same(new Set(outcomes.map(({ status }) => status)), new Set(['sent']))
  t.same(figures, { most: 3, taken: 20 })
})
