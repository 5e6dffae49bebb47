/** TLS, accounts, and the access rules that deploy/mosquitto brings, with a real Mosquitto. */

import { execFileSync } from 'node:child_process'
import { copyFileSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { topicsBelow } from '../../src/protocol/topics.js'
import type { ConnectionOptions } from '../../src/transport/connection-options.js'
import type { MqttConnection } from '../../src/transport/mqtt-connection.js'
import { openConnection, startConnection, until } from '../helpers/broker.js'
import { Authority, type Certificate, skipWithoutOpenssl } from '../helpers/certificates.js'
import { freePort, Mosquitto, skipWithoutMosquitto } from '../helpers/mosquitto.js'
import { projectRoot } from '../helpers/paths.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

const topics = topicsBelow('yolo-edge/v2')
const rules = join(projectRoot, 'deploy', 'mosquitto', 'yolo-edge.acl')
const noBroker = skipWithoutMosquitto()
const skip = noBroker === false ? skipWithoutOpenssl() : noBroker

t.setTimeout(120_000)

interface TlsBroker {
  readonly url: string
  readonly authority: Authority
  /** What `name` needs to connect. */
  readonly as: (name: string) => Partial<ConnectionOptions>
}

/** A broker as deploy/mosquitto describes it: a certificate says who a client is. */
async function tlsBroker(t: Test): Promise<TlsBroker> {
  const folder = temporaryFolder(t, {}, ['broker'])
  const authority = new Authority(folder, 'authority')
  const own = authority.issue('broker')
  const broker = await Mosquitto.start({
    folder: join(folder, 'broker'),
    isClosed: true,
    lines: [
      `cafile ${authority.caFile}`,
      `certfile ${own.certFile}`,
      `keyfile ${own.keyFile}`,
      'require_certificate true',
      'use_identity_as_username true',
      `acl_file ${rules}`,
    ],
  })
  t.teardown(() => broker.stop())
  const url = `mqtts://127.0.0.1:${broker.port}`
  const as = (name: string): Partial<ConnectionOptions> => ({
    url,
    clientId: name,
    tls: { ca: authority.ca, ...pemOf(authority.issue(name)) },
  })
  return { url, authority, as }
}

function pemOf({ certFile, keyFile }: Certificate): { readonly cert: string; readonly key: string } {
  return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
}

t.test('a device speaks only below its own name, whatever it tries', { skip }, async (t) => {
  const { url, as } = await tlsBroker(t)
  const publisher = await openConnection(t, url, as('publisher'))
  const device = await openConnection(t, url, as('cam~2'))
  const [heard, heardByDevice] = [new Set<string>(), new Set<string>()]
  await publisher.subscribe(['yolo-edge/v2/#'], 1, ({ topic }) => heard.add(topic)).outcome
  await device.subscribe(
    ['yolo-edge/v2/#', topics.deviceDesired('cam.1'), topics.deviceDesired('cam.2')],
    1,
    ({ topic }) => heardByDevice.add(topic),
  ).outcome
  const forbidden = [
    topics.deviceState('cam.1', 'reported'),
    topics.deviceState('cam.1', 'availability'),
    topics.detections('cam.1', 'front'),
    topics.response('cam.1', 'deployments'),
    topics.deviceDesired('cam.1'),
    topics.deviceDesired('cam.2'),
    topics.channelDesired('stable'),
    topics.manifest('parts', '1.0.0'),
    topics.chunk('a'.repeat(64), 0),
    topics.command('cam.1', 'preview'),
  ]
  const allowed = [
    topics.deviceState('cam.2', 'reported'),
    topics.deviceState('cam.2', 'metrics'),
    topics.detections('cam.2', 'front'),
    topics.preview('cam.2', 'front'),
    topics.response('cam.2', 'deployments'),
  ]
  for (const topic of [...forbidden, ...allowed]) await say(device, topic)
  await until(() => allowed.every((topic) => heard.has(topic)))
  for (const topic of forbidden) t.notOk(heard.has(topic), `${topic} did not arrive`)

  for (const topic of [topics.deviceDesired('cam.1'), topics.deviceDesired('cam.2')])
    await say(publisher, topic)
  await until(() => heardByDevice.has(topics.deviceDesired('cam.2')))
  t.notOk(heardByDevice.has(topics.deviceDesired('cam.1')), "another device's wish is not read")
})

t.test('a dashboard looks and asks, and tells nobody what to run', { skip }, async (t) => {
  const { url, as } = await tlsBroker(t)
  const publisher = await openConnection(t, url, as('publisher'))
  const dashboard = await openConnection(t, url, as('dashboard'))
  const heard = new Set<string>()
  await publisher.subscribe(['yolo-edge/v2/#'], 1, ({ topic }) => heard.add(topic)).outcome
  const device = await openConnection(t, url, as('cam-1'))
  const seen = new Set<string>()
  await dashboard.subscribe([topics.stateOfAll('reported')], 1, ({ topic }) => seen.add(topic)).outcome
  const asked = new Set<string>()
  await device.subscribe([topics.commandsOf('cam-1')], 1, ({ topic }) => asked.add(topic)).outcome
  const forbidden = [
    topics.channelDesired('stable'),
    topics.deviceDesired('cam-1'),
    topics.manifest('parts', '1.0.0'),
    topics.deviceState('cam-1', 'reported'),
  ]
  for (const topic of forbidden) await say(dashboard, topic)
  await say(dashboard, topics.command('cam-1', 'preview'))
  await until(() => asked.has(topics.command('cam-1', 'preview')))
  for (const topic of forbidden) t.notOk(heard.has(topic), `${topic} did not arrive`)
  await say(device, topics.deviceState('cam-1', 'reported'))
  await until(() => seen.has(topics.deviceState('cam-1', 'reported')))
})

t.test('without a certificate of the fleet nobody connects, to either side', { skip }, async (t) => {
  const { url, authority, as } = await tlsBroker(t)
  const stranger = new Authority(temporaryFolder(t, {}), 'stranger')
  const refused: readonly (readonly [string, Partial<ConnectionOptions>])[] = [
    ['no certificate', { url, tls: { ca: authority.ca } }],
    ['a certificate of a stranger', { url, tls: { ca: authority.ca, ...pemOf(stranger.issue('cam-1')) } }],
    ['a broker of a stranger', { ...as('cam-1'), tls: { ...as('cam-1').tls, ca: stranger.ca } }],
  ]
  for (const [what, options] of refused) {
    const connection = await startConnection(t, url, options)
    await t.rejects(connection.requireOnline(1500), { code: /^network\./ }, what)
  }
  const known = await startConnection(t, url, as('cam-1'))
  await t.resolves(known.requireOnline(10_000))
})

t.test('an account with a password: the right one, a wrong one, none', { skip }, async (t) => {
  const folder = temporaryFolder(t, { passwords: '' }, ['broker'])
  const passwords = join(folder, 'passwords')
  execFileSync('mosquitto_passwd', ['-b', passwords, 'cam-1', 'right'], { stdio: 'ignore' })
  const broker = await Mosquitto.start({
    folder: join(folder, 'broker'),
    isClosed: true,
    lines: [`password_file ${passwords}`, `acl_file ${rules}`],
  })
  t.teardown(() => broker.stop())
  const { url } = broker
  for (const protocol of [4, 'auto'] as const) {
    const wrong = await startConnection(t, url, { protocol, username: 'cam-1', password: 'wrong' })
    await t.rejects(wrong.requireOnline(1500), { code: 'network.broker_refused' }, 'a wrong password')
    const nameless = await startConnection(t, url, { protocol })
    await t.rejects(nameless.requireOnline(1500), { code: 'network.broker_refused' }, 'no account')
    const right = await startConnection(t, url, { protocol, username: 'cam-1', password: 'right' })
    await t.resolves(right.requireOnline(10_000))
  }
})

/** The broker of deploy/mosquitto as it is shipped; only its ports and paths are those of the test. */
async function shippedBroker(t: Test): Promise<{
  readonly device: (name: string, clientId?: string) => Partial<ConnectionOptions>
  readonly person: (name: string, clientId?: string) => Partial<ConnectionOptions>
  readonly byPasswordAtDevices: Partial<ConnectionOptions>
}> {
  const folder = temporaryFolder(t, { 'yolo-edge.passwords': '' }, ['broker', 'certs'])
  const authority = new Authority(join(folder, 'certs'), 'ca')
  authority.issue('broker')
  renameSync(join(folder, 'certs', 'broker.crt'), join(folder, 'certs', 'broker.pem'))
  copyFileSync(rules, join(folder, 'yolo-edge.acl'))
  const passwords = join(folder, 'yolo-edge.passwords')
  for (const name of ['publisher', 'dashboard', 'viewer'])
    execFileSync('mosquitto_passwd', ['-b', passwords, name, 'secret'], { stdio: 'ignore' })
  const peoplePort = await freePort()
  const webPort = await freePort()
  const shipped = readFileSync(join(projectRoot, 'deploy', 'mosquitto', 'yolo-edge.conf'), 'utf8')
  const broker = await Mosquitto.start({
    folder: join(folder, 'broker'),
    configuration: (port) =>
      shipped
        .replaceAll('/etc/mosquitto', folder)
        .replace('listener 8883', `user root\nlistener ${port} 127.0.0.1`)
        .replace('listener 8884', `listener ${peoplePort} 127.0.0.1`)
        .replace('listener 9443', `listener ${webPort} 127.0.0.1`)
        .replace('persistence true', `persistence true\npersistence_location ${join(folder, 'broker')}/`),
  })
  t.teardown(() => broker.stop())
  const deviceUrl = `mqtts://127.0.0.1:${broker.port}`
  const account = { username: 'publisher', password: 'secret' }
  return {
    device: (name, clientId = name) => ({
      ...{ url: deviceUrl, clientId },
      tls: { ca: authority.ca, ...pemOf(authority.issue(name)) },
    }),
    person: (username, clientId = `${username}-1`) => ({
      ...{ url: `mqtts://127.0.0.1:${peoplePort}`, clientId, username, password: 'secret' },
      tls: { ca: authority.ca },
    }),
    byPasswordAtDevices: { url: deviceUrl, clientId: 'cam-1', ...account, tls: { ca: authority.ca } },
  }
}

t.test("in the shipped configuration nobody takes another device's place", { skip }, async (t) => {
  const broker = await shippedBroker(t)
  const connect = (options: Partial<ConnectionOptions>): Promise<MqttConnection> =>
    openConnection(t, options.url!, options)
  const dashboard = await connect(broker.person('dashboard'))
  const said: string[] = []
  await dashboard.subscribe([topics.deviceState('cam-1', 'availability')], 1, ({ payload }) => {
    said.push(Buffer.from(payload).toString())
  }).outcome
  const availabilityTopic = topics.deviceState('cam-1', 'availability')
  const camera = await connect({ ...broker.device('cam-1'), availabilityTopic })
  await until(() => said.includes('online'))
  for (let attempt = 0; attempt < 3; attempt++) {
    const evil = await connect(broker.device('evil', 'cam-1'))
    await say(evil, topics.deviceState('evil', 'metrics'))
    await evil.stop()
  }
  await say(camera, topics.deviceState('cam-1', 'metrics'))
  t.same(said, ['online'], 'its connection was never taken over')
  const stranger = await startConnection(t, broker.byPasswordAtDevices.url!, broker.byPasswordAtDevices)
  await t.rejects(
    stranger.requireOnline(1500),
    { code: /^network\./ },
    'an account of people is none of devices',
  )
})

t.test('who may not ask for pictures does not see those that others asked for', { skip }, async (t) => {
  const broker = await shippedBroker(t)
  const connect = (options: Partial<ConnectionOptions>): Promise<MqttConnection> =>
    openConnection(t, options.url!, options)
  const [camera, dashboard, viewer] = [
    await connect(broker.device('cam-1')),
    await connect(broker.person('dashboard')),
    await connect(broker.person('viewer')),
  ]
  const [asked, shown, seen] = [new Set<string>(), new Set<string>(), new Set<string>()]
  await camera.subscribe([topics.commandsOf('cam-1')], 1, ({ topic }) => asked.add(topic)).outcome
  const previews = `${topics.root}/devices/cam-1/preview/+`
  await dashboard.subscribe([previews], 1, ({ topic }) => shown.add(topic)).outcome
  const responses = `${topics.root}/devices/cam-1/cmd/+/response`
  const filters = [previews, responses, topics.stateOfAll('reported')]
  await viewer.subscribe(filters, 1, ({ topic }) => seen.add(topic)).outcome
  await say(viewer, topics.command('cam-1', 'preview'))
  await say(dashboard, topics.command('cam-1', 'deployments'))
  await until(() => asked.has(topics.command('cam-1', 'deployments')))
  t.notOk(asked.has(topics.command('cam-1', 'preview')), 'a viewer asks nothing')
  for (const topic of [
    topics.preview('cam-1', 'front'),
    topics.response('cam-1', 'deployments'),
    topics.deviceState('cam-1', 'reported'),
  ])
    await say(camera, topic)
  await until(() => shown.size > 0 && seen.size > 0)
  t.same([...seen], [topics.deviceState('cam-1', 'reported')])
})

/** Publishes and waits for the broker's word, whatever it is. */
async function say(connection: MqttConnection, topic: string): Promise<void> {
  await connection.publish(topic, Buffer.from('x'), { qos: 1, retain: false })
}
