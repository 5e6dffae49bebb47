import { join } from 'node:path'
import t from 'tap'
import { connectionOptionsOf } from '../../src/agent/broker-connection.js'
import { loadConfig } from '../../src/config/load.js'

const brokerWith = (settings: Record<string, unknown>) =>
  loadConfig({
    env: {},
    overrides: new Map(Object.entries(settings).map(([key, value]) => [`broker.${key}`, value])),
  }).broker

t.test('says nothing of what is not set', async (t) => {
  const { payloadBytesMaxOf, packetBytesMax, ...options } = await connectionOptionsOf(
    brokerWith({ url: 'mqtt://broker.example' }),
    'camera-7',
  )
  t.ok(payloadBytesMaxOf!('yolo-edge/v2/devices/camera-7/desired') < packetBytesMax!)
  t.same(options, {
    url: 'mqtt://broker.example',
    clientId: 'camera-7',
    protocol: 'auto',
    keepaliveS: 30,
    tls: {},
  })
})

t.test('several addresses go before the one of broker.url', async (t) => {
  const urls = ['mqtt://one.example', 'mqtt://two.example', 'mqtt://three.example']
  const options = await connectionOptionsOf(brokerWith({ url: 'mqtt://broker.example', urls }), 'camera-7')
  t.match(options, { url: urls[0], furtherUrls: urls.slice(1) })
  t.throws(() => brokerWith({ urls: ['mqtt://one.example', 'http://two.example'] }), {
    code: 'config.value_invalid',
    message: /broker\.urls/,
  })
})

t.test('reads credentials and certificates from their files', async (t) => {
  const folder = t.testdir({ password: 'secret\n', ca: 'CA', cert: 'CERT', key: 'KEY' })
  const broker = brokerWith({
    url: 'mqtts://broker.example',
    protocol_version: 4,
    username: 'camera-7',
    password_file: join(folder, 'password'),
    ca_file: join(folder, 'ca'),
    cert_file: join(folder, 'cert'),
    key_file: join(folder, 'key'),
  })
  t.match(await connectionOptionsOf(broker, 'camera-7'), {
    protocol: 4,
    username: 'camera-7',
    password: 'secret',
    tls: { ca: 'CA', cert: 'CERT', key: 'KEY' },
  })
})

t.test('names the setting whose file cannot be read', async (t) => {
  const broker = brokerWith({ ca_file: join(t.testdir(), 'absent.pem') })
  await t.rejects(connectionOptionsOf(broker, 'camera-7'), {
    code: 'config.file_unreadable',
    message: /broker\.ca_file .*absent\.pem/,
  })
})
