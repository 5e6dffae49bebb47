/** Addresses of brokers as people write them: WebSocket under IPv6, and several to be tried in turn. */

import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startBroker, until } from '../../helpers/broker.js'
import { freePort } from '../../helpers/mosquitto.js'
import { type RunningCommand, runCommand, startCommand } from '../../helpers/processes.js'
import { temporaryFolder } from '../../helpers/temporary-folder.js'

t.setTimeout(300_000)

function agent(t: Test, setting: string): RunningCommand {
  const folder = temporaryFolder(t, {}, ['keys', 'state'])
  const settings = [
    `state.directory=${join(folder, 'state')}`,
    `security.trusted_keys=${join(folder, 'keys')}`,
    setting,
  ]
  return startCommand(t, ['run', ...settings.flatMap((each) => ['--set', each])])
}

const saidBy = (device: RunningCommand): string => device.stdout() + device.stderr()

t.test('WebSocket brokers under IPv6: there, not there, and without TLS', async (t) => {
  const broker = await startBroker(t, { host: '::1', webSocketPort: 0 })
  const there = await runCommand(t, ['rollout', 'status', '--broker', broker.webSocketUrl])
  t.match(broker.webSocketUrl, /^ws:\/\/\[::1\]:/)
  t.equal(there.status, 0, there.stderr)
  t.match(there.stdout, /no device serves a model/)
  const port = await freePort()
  for (const url of [`ws://[::1]:${port}`, `wss://[::1]:${port}`]) {
    const { status, stderr } = await runCommand(t, ['rollout', 'status', '--broker', url])
    t.equal(status, 6, stderr)
    t.match(stderr, /^yolo-edge: network\.broker_unreachable: cannot reach broker wss?:\/\/\[::1\]:/)
  }
  const device = agent(t, `broker.url=wss://[::1]:${new URL(broker.webSocketUrl).port}`)
  await until(() => saidBy(device).includes('broker connection failed'))
  device.kill('SIGTERM')
  t.equal(await device.ended, 0, 'it goes on, and ends when it is asked to')
})

t.test('of several addresses the first that answers is used, and a reason names all of them', async (t) => {
  const broker = await startBroker(t)
  const nobody = `mqtt://127.0.0.1:${await freePort()}`
  const status = ['rollout', 'status', '--broker']
  const first = await runCommand(t, [...status, `${nobody},${broker.url}`])
  t.equal(first.status, 0, first.stderr)
  const device = agent(t, `broker.urls=${nobody},${broker.url}`)
  await until(() => saidBy(device).includes('"broker connected"'))
  const alone = await runCommand(t, [...status, `${nobody},mqtt://127.0.0.1:${await freePort()}`])
  t.equal(alone.status, 6)
  t.equal(alone.stderr.match(/cannot reach broker/g)?.length, 2, alone.stderr)
})
