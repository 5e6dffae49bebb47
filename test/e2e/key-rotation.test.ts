/** The rehearsal of deploy/SECURITY.md: a fleet changes its key, over a real broker, and no device is left behind. */

import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type DeviceInfo, parseInfo } from '../../src/protocol/info.js'
import { parseReported, type Reported } from '../../src/protocol/reported.js'
import { defaultRoot, topicsBelow } from '../../src/protocol/topics.js'
import { openConnection } from '../helpers/broker.js'
import { readExport } from '../helpers/exports.js'
import { Mosquitto, skipWithoutMosquitto } from '../helpers/mosquitto.js'
import { runCommand, startCommand } from '../helpers/processes.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

const device = 'cam-1'
const topics = topicsBelow(defaultRoot)

t.setTimeout(300_000)

t.test('rotate, copy, revoke, remove', { skip: skipWithoutMosquitto() }, async (t) => {
  const folder = temporaryFolder(t, { 'parts.onnx': readExport('opset17-slim') }, ['broker', 'keys'])
  const broker = await Mosquitto.start({ folder: join(folder, 'broker') })
  t.teardown(() => broker.stop())
  const connection = await openConnection(t, broker.url)
  let reported: Reported | undefined
  let info: DeviceInfo | undefined
  const said = (): { readonly reported: Reported | undefined; readonly info: DeviceInfo | undefined } => ({
    ...{ reported, info },
  })
  connection.subscribe([topics.deviceState(device, 'reported')], 1, ({ payload }) => {
    reported = parseReported(payload)
  })
  connection.subscribe([topics.deviceState(device, 'info')], 1, ({ payload }) => {
    info = parseInfo(payload)
  })
  const until = async (what: string, condition: () => boolean): Promise<void> => {
    for (let attempt = 0; attempt < 1800; attempt++) {
      if (condition()) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`${what}: not within 90 seconds`)
  }
  const serves = (version: string): Promise<void> =>
    until(version, () => reported?.active?.version === version && reported.restoring === undefined)
  const run = (...args: string[]): ReturnType<typeof runCommand> =>
    runCommand(t, [...args, '--broker', broker.url, '--json'])
  const ask = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { status, stdout, stderr } = await run(...args)
    t.equal(status, 0, `${args.join(' ')} ${stderr}`)
    return JSON.parse(stdout) as Record<string, unknown>
  }
  const publish = (version: string, key: string): Promise<Record<string, unknown>> => {
    const names = ['--name', 'parts', '--model-version', version]
    return ask('publish', join(folder, 'parts.onnx'), ...names, '--sign', key)
  }
  const path = (name: string): string => join(folder, name)
  const trusted = (name: string): string => join(folder, 'keys', name)
  const { stdout } = await runCommand(t, ['keygen', path('fleet'), '--json'])
  const { key_id: oldId } = JSON.parse(stdout) as { key_id: string }
  copyFileSync(path('fleet.pub'), trusted('fleet.pub'))
  const settings = [
    ...[`device.id=${device}`, `broker.url=${broker.url}`, `state.directory=${path('state')}`],
    ...[`security.trusted_keys=${path('keys')}`, 'selection.trial_runs=5', 'inference.threads=1'],
    ...['acceptance.soak_s=0', 'acceptance.latency_factor_max=100'],
    ...['acceptance.active_latency_factor_max=1000', 'cameras=front=synthetic#fps=5'],
  ]
  startCommand(t, ['run', ...settings.flatMap((setting) => ['--set', setting])])
  await publish('1.0.0', path('fleet.key'))
  await serves('1.0.0')
  t.same(said().info?.trustedKeys, [oldId])

  const rotate = ['key', 'rotate', '--sign', path('fleet.key'), '--to', path('next')]
  const begun = await ask(...rotate)
  t.match(begun, { old_key: oldId, made: true, devices_without_key: [device], foreign: [] })
  t.equal((begun['signed'] as string[]).length, 2, 'the manifest and the wish')
  const newId = begun['new_key'] as string
  const revoke = ['key', 'revoke', path('fleet.pub'), '--sign', path('next.key')]
  t.match(await run(...revoke), { status: 4, stderr: /do not trust .*next\.key: cam-1/ })
  copyFileSync(path('next.pub'), trusted('next.pub'))
  await until('both keys', () => info?.trustedKeys?.length === 2)
  const again = await ask(...rotate)
  t.match(again, { new_key: newId, made: false, signed: [], devices_with_key: [device] })

  const revoked = await ask(...revoke)
  t.match(revoked, { revoked_key: oldId, only_revoked: [], devices_trusting: [device] })
  t.equal((revoked['changed'] as string[]).length, 2)
  rmSync(trusted('fleet.pub'))
  await until('the new key alone', () => info?.trustedKeys?.join() === newId)
  const sealed = await ask('publish', path('parts.onnx'), '--name', 'parts', '--sign', path('fleet.key'))
  t.match(
    sealed,
    { refused_by: [{ device, code: 'trust.key_unknown' }] },
    'the old key says nothing any more',
  )
  t.equal(said().reported?.distrusted, undefined, 'what serves is signed with the new key as well')
  await publish('3.0.0', path('next.key'))
  await serves('3.0.0')

  rmSync(trusted('next.pub'))
  await until('a key is gone', () => reported?.distrusted?.code === 'trust.key_unknown')
  t.equal(said().reported?.active?.version, '3.0.0', 'it serves on, and says so')
  const { stdout: words } = await runCommand(t, ['why', device, '--broker', broker.url])
  t.match(words, /it would not be accepted today: trust\.key_unknown/)
})
