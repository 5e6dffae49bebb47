/** `yolo-edge simulate` as a user types it. */

import { join } from 'node:path'
import t from 'tap'
import { startBroker } from '../../helpers/broker.js'
import { readExport } from '../../helpers/exports.js'
import { runCommand, startCommand } from '../../helpers/processes.js'
import { temporaryFolder } from '../../helpers/temporary-folder.js'

t.test('a rehearsal: publish, and every simulated device runs it', async (t) => {
  const folder = temporaryFolder(t, { 'parts.onnx': readExport('opset17-slim') }, ['keys'])
  const broker = await startBroker(t)
  await runCommand(t, ['keygen', join(folder, 'keys', 'fleet')])
  const there = ['--broker', broker.url, '--set', `security.trusted_keys=${join(folder, 'keys')}`]
  const fleet = startCommand(t, [
    ...['simulate', '--devices', '8', '--until', '1.0.0', '--trial', '0', '--soak', '0', '--json', ...there],
  ])
  const published = await runCommand(t, [
    ...['publish', join(folder, 'parts.onnx'), '--name', 'parts', '--model-version', '1.0.0'],
    ...['--sign', join(folder, 'keys', 'fleet.key'), '--broker', broker.url],
  ])
  t.equal(published.status, 0, published.stderr)
  t.equal(await fleet.ended, 0, fleet.stderr())
  const figures = JSON.parse(fleet.stdout()) as Record<string, number>
  t.match(figures, { devices: 8, committed: 8, failed: 0, wrong_chunks: 0 })
  t.ok(figures['fetched_bytes']! > 0)
})

t.test('wrong input is told in one sentence', async (t) => {
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [['--devices', '0'], 2, /--devices 0: expected a whole number 1\.\.100000/],
    [['--prefix', 'a/b'], 3, /device name "a\/b-00001"/],
    [['--channel', 'no space'], 3, /channel name "no space"/],
  ]
  for (const [args, status, sentence] of cases) {
    const told = await runCommand(t, ['simulate', '--devices', '1', ...args])
    t.match(told, { status, stderr: sentence }, args.join(' '))
  }
})
