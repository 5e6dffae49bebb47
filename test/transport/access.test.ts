/** TLS, accounts, and the access rules that deploy/mosquitto brings, with a real Mosquitto. */

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { topicsBelow } from '../../src/protocol/topics.js'
import type { ConnectionOptions } from '../../src/transport/connection-options.js'
import type { MqttConnection } from '../../src/transport/mqtt-connection.js'
import { openConnection, startConnection, until } from '../helpers/broker.js'
import { Authority, type Certificate, skipWithoutOpenssl } from '../helpers/certificates.js'
import { Mosquitto, skipWithoutMosquitto } from '../helpers/mosquitto.js'
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

/** Publishes and waits for the broker's word, whatever it is. */
async function say(connection: MqttConnection, topic: string): Promise<void> {
  await connection.publish(topic, Buffer.from('x'), { qos: 1, retain: false })
}
