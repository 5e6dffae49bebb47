/** A rollout from the operator's desk: the commands as a user types them, an agent, and the embedded broker. */

import { join } from 'node:path'
import t from 'tap'
import { type DeploymentState, parseDeployment } from '../../src/protocol/deployment.js'
import { parseReported, type Reported } from '../../src/protocol/reported.js'
import { topicsBelow } from '../../src/protocol/topics.js'
import { openConnection, startBroker } from '../helpers/broker.js'
import { readExport } from '../helpers/exports.js'
import { runCommand, startCommand } from '../helpers/processes.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

const device = 'cam-1'
const topics = topicsBelow('yolo-edge/v2')

t.setTimeout(300_000)

t.test('start, pause, resume, roll back, release, retire; what was done is told', async (t) => {
  const folder = temporaryFolder(t, { 'parts.onnx': readExport('opset17-slim') }, ['keys'])
  const broker = await startBroker(t)
  const connection = await openConnection(t, broker.url)
  let reported: Reported | undefined
  connection.subscribe([topics.deviceState(device, 'reported')], 1, ({ payload }) => {
    reported = parseReported(payload)
  })
  let state: DeploymentState | undefined
  connection.subscribe([topics.deviceState(device, 'deployment')], 1, ({ payload }) => {
    ;({ state } = parseDeployment(payload))
  })
  const serves = async (version: string): Promise<void> => {
    for (let attempt = 0; attempt < 1200; attempt++) {
      if (reported?.active?.version === version && state === 'idle') return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`${version} does not serve within a minute`)
  }
  const key = join(folder, 'keys', 'fleet.key')
  /** Runs a command with the broker's address and asks for JSON. */
  const ask = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { status, stdout, stderr } = await runCommand(t, [...args, '--broker', broker.url, '--json'])
    t.equal(status, 0, `${args.join(' ')} ${stderr}`)
    return JSON.parse(stdout) as Record<string, unknown>
  }
  const publish = (version: string): Promise<unknown> =>
    ask(
      ...['publish', join(folder, 'parts.onnx'), '--name', 'parts', '--model-version', version],
      ...['--sequence', version.split('.')[0]!, '--no-wish', '--sign', key],
    )
  await runCommand(t, ['keygen', join(folder, 'keys', 'fleet')])
  await runCommand(t, ['keygen', join(folder, 'stranger')])
  const settings = [
    `device.id=${device}`,
    `broker.url=${broker.url}`,
    `state.directory=${join(folder, 'state')}`,
    `security.trusted_keys=${join(folder, 'keys')}`,
    'selection.trial_runs=5',
    'acceptance.soak_s=1',
    'acceptance.latency_factor_max=100',
    'acceptance.active_latency_factor_max=1000',
    'inference.threads=1',
    'cameras=front=synthetic#fps=10',
  ]
  startCommand(t, ['run', ...settings.flatMap((setting) => ['--set', setting])])
  await publish('1.0.0')
  await publish('2.0.0')
  t.match(await ask('rollout', 'start', 'parts', '1.0.0', '--sign', key), { phase: 'running' })
  await serves('1.0.0')

  t.match(await ask('rollout', 'start', 'parts', '2.0.0', '--percent', '0', '--salt', 's', '--sign', key), {
    phase: 'running',
  })
  t.match(await ask('rollout', 'pause', '--sign', key), { version: '2.0.0' })
  const early = ['rollout', 'start', 'parts', '2.0.0', '--not-before', '2999-01-01T00:00:00Z']
  t.match(await ask(...early, '--sign', key), { phase: 'waiting' })
  const foreign = await runCommand(t, [
    ...['rollout', 'resume', '--sign', join(folder, 'stranger.key'), '--broker', broker.url],
  ])
  t.equal(foreign.status, 4, 'a wish that another key signed is not signed again')
  t.equal(reported?.active?.version, '1.0.0')
  t.match(await ask('rollout', 'resume', '--sign', key), { phase: 'running' })
  await serves('2.0.0')
  t.match(await ask('rollout', 'status'), {
    versions: [
      { model: 'parts', version: '2.0.0', devices: { serving: 1 }, channels: [{ phase: 'running' }] },
    ],
  })

  t.match(await ask('rollback', device, '--sign', key), { from: '2.0.0', to: '1.0.0' })
  await serves('1.0.0')
  let recorded = new Uint8Array()
  const recorder = connection.subscribe([topics.deviceDesired(device)], 1, ({ payload }) => {
    if (recorded.length === 0) recorded = Uint8Array.from(payload)
  })
  await recorder.outcome
  await ask('rollback', device, '--release', '--sign', key)
  await recorder.close()
  await serves('2.0.0')
  const send = (payload: Uint8Array): Promise<unknown> =>
    connection.publish(topics.deviceDesired(device), payload, { qos: 1, retain: true })
  await send(recorded)
  for (let attempt = 0; attempt < 200 && reported?.refusedWish === undefined; attempt++)
    await new Promise((resolve) => setTimeout(resolve, 50))
  t.match(reported?.refusedWish, { version: '1.0.0', error: { code: 'trust.sequence_stale' } })
  t.equal(reported?.active?.version, '2.0.0', 'who has no key cannot bring a released rollback back')
  await ask('rollback', device, '--release', '--sign', key)

  const stranger = join(folder, 'stranger.key')
  const refused = await ask('rollout', 'start', 'parts', '1.0.0', '--sign', stranger)
  t.match(refused, { refused_by: [{ device, code: 'trust.key_unknown' }] }, 'the publisher sees it at once')
  t.match(await ask('rollout', 'status'), {
    versions: [
      { version: '2.0.0', devices: { serving: 1, failed: 0 } },
      { version: '1.0.0', devices: { failed: 1 }, failures: [{ device, code: 'trust.key_unknown' }] },
    ],
    refused_wishes: [{ device }],
  })
  t.match(await ask('rollout', 'start', 'parts', '2.0.0', '--sign', key), { phase: 'running' })

  const { deployments } = await ask('deployments', device)
  t.match(deployments, [
    { version: '1.0.0', result: 'committed' },
    { version: '1.0.0', result: 'committed' },
    { version: '2.0.0', result: 'committed' },
  ])
  t.match(await ask('publish', '--retire', '--name', 'parts', '--model-version', '1.0.0'), {
    cleared_chunks: 0,
  })
  const missing = ['rollout', 'start', 'parts', '1.0.0', '--sign', key, '--broker', broker.url]
  t.match(await runCommand(t, missing), { status: 3, stderr: /1\.0\.0 is not on the broker/ })
})
