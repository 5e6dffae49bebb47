/** The lines of README's "From an export to a fleet", as they stand there, on the recorded boards of a mixed fleet. */

import { execFile } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { encodeInfo } from '../../src/protocol/info.js'
import { parseReported, type Reported } from '../../src/protocol/reported.js'
import { topicsBelow } from '../../src/protocol/topics.js'
import { boardInfo } from '../helpers/board-info.js'
import { openConnection, startBroker } from '../helpers/broker.js'
import { projectRoot } from '../helpers/paths.js'
import { startCommand } from '../helpers/processes.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

t.setTimeout(300_000)

const boards = ['pi-4', 'pi-5', 'jetson-orin-nano', 'x86-n100', 'x86-j4125'] as const
const program = join(projectRoot, 'dist', 'src', 'cli', 'main.js')

/** The commands of the section, without what stands behind them. */
function linesOfReadme(): readonly string[] {
  const [, section = ''] = readFileSync(join(projectRoot, 'README.md'), 'utf8').split(
    '## From an export to a fleet',
  )
  return section
    .split('\n\n')[1]!
    .split('\n')
    .map((line) => line.trim().replace(/\s+#.*$/, ''))
}

t.test('each board of a mixed fleet is offered an int8 variant by the six lines', async (t) => {
  const folder = temporaryFolder(t, {}, [])
  const broker = await startBroker(t)
  const topics = topicsBelow('yolo-edge/v2')
  const connection = await openConnection(t, broker.url)
  copyFileSync(join(projectRoot, 'models', 'parts', 'parts.onnx'), join(folder, 'yolov8n.onnx'))
  mkdirSync(join(folder, 'bin'))
  const command = join(folder, 'bin', 'yolo-edge')
  writeFileSync(command, `#!/bin/sh\nexec ${process.execPath} ${program} "$@"\n`)
  chmodSync(command, 0o755)
  const run = async (line: string): Promise<{ readonly stdout: string; readonly stderr: string }> => {
    const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}` }
    return promisify(execFile)('sh', ['-ec', line.replaceAll('mqtt://broker:1883', broker.url)], {
      cwd: folder,
      env,
    })
  }
  await run(
    'yolo-edge generate drawn --train 16 --val 8 --golden 1 && ln -s drawn/train/images pictures && ln -s drawn/val labelled',
  )
  const infos = await Promise.all(
    boards.map(async (board) => {
      const root = join(folder, 'boards', board)
      mkdirSync(root, { recursive: true })
      return [board, await boardInfo(board, root, board)] as const
    }),
  )
  for (const [board, info] of infos)
    await connection.publish(topics.deviceState(board, 'info'), encodeInfo(info), { qos: 1, retain: true })

  const lines = linesOfReadme()
  const names = lines.map((line) => line.split(' ')[1])
  t.same(names, ['compress', 'val', 'bench', 'keygen', 'publish', 'run'])
  const said = new Map<string, { readonly stdout: string; readonly stderr: string }>()
  for (const [index, line] of lines.slice(0, -1).entries()) said.set(names[index]!, await run(line))

  const made = ['x64-vnni', 'x64', 'arm64'].map((target) => `yolov8n-int8-${target}-160.onnx`)
  for (const file of made) t.ok(existsSync(join(folder, 'small', file)), file)
  t.match(said.get('compress')!.stdout, /^self-check: on 12 pictures .* F1 /m)
  for (const file of made) t.match(said.get('val')!.stdout, file)
  t.match(said.get('publish')!.stdout, /fp32-160, int8-arm64-160, int8-x64-160, int8-x64-vnni-160/)
  t.notMatch(said.get('publish')!.stderr, /no int8 variant for/)

  const roots = boards.map((board) => join(folder, 'boards', board)).join(' ')
  const { stdout } = await run(`yolo-edge variants yolov8n.onnx small/*.onnx --json --root ${roots}`)
  const { machines } = JSON.parse(stdout) as { machines: { board: string; eligible: string[] }[] }
  t.equal(machines.length, boards.length)
  for (const { board, eligible } of machines)
    t.match(eligible[0], /^int8-/, `${board}: ${eligible.join(', ')}: the best guess computes on integers`)

  const settings = [
    'device: { id: cam-1, channel: stable }',
    `broker: { url: '${broker.url}' }`,
    `state: { directory: ${join(folder, 'state')} }`,
    `security: { trusted_keys: ${folder} }`,
    'selection: { trial_runs: 5 }',
    'acceptance: { soak_s: 0 }',
    "cameras: [{ name: front, source: 'synthetic#fps=5' }]",
  ]
  writeFileSync(join(folder, 'device.yaml'), `${settings.join('\n')}\n`)
  t.equal(lines.at(-1), 'yolo-edge run --config device.yaml')
  const active = new Promise<NonNullable<Reported['active']>>((resolve) => {
    connection.subscribe([topics.deviceState('cam-1', 'reported')], 1, ({ payload }) => {
      const reported = parseReported(payload)
      if (reported.active !== undefined) resolve(reported.active)
    })
  })
  const agent = startCommand(t, ['run', '--config', join(folder, 'device.yaml')])
  const late = sleep(120_000, undefined, { ref: false })
  t.match(await Promise.race([active, late, agent.ended]), { model: 'parts' }, agent.stderr())
})
