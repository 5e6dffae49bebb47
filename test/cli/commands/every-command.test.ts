/** Each command of the program is started by a test: here with tiny things, or where the list says. */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import t, { type Test } from 'tap'
import { program } from '../../../src/cli/program.js'
import { exportModel } from '../../../src/onnx/export-model.js'
import { partNames } from '../../../src/training/conveyor/part-shapes.js'
import { buildNetwork } from '../../../src/yolo/build-network.js'
import { layOutBoard } from '../../helpers/boards.js'
import { startBroker, until } from '../../helpers/broker.js'
import { projectRoot } from '../../helpers/paths.js'
import { runCommand, startCommand } from '../../helpers/processes.js'
import { temporaryFolder } from '../../helpers/temporary-folder.js'

t.setTimeout(600_000)

/** Commands that another test starts, with real devices or in more cases: the file below test/. */
const elsewhere: Readonly<Record<string, string>> = {
  bench: 'e2e/main-path.test.ts',
  'broker check': 'cli/commands/broker.test.ts',
  compare: 'cli/commands/compare.test.ts',
  compress: 'cli/commands/compress.test.ts',
  detect: 'cli/commands/detect.test.ts',
  'key revoke': 'e2e/key-rotation.test.ts',
  'key rotate': 'e2e/key-rotation.test.ts',
  rollback: 'e2e/rollout.test.ts',
  'rollout pause': 'e2e/rollout.test.ts',
  'rollout resume': 'e2e/rollout.test.ts',
  run: 'e2e/rollout.test.ts',
  'runtime add': 'slow/openvino.test.ts',
  'runtime list': 'cli/commands/runtime.test.ts',
  'runtime remove': 'slow/openvino.test.ts',
  setup: 'cli/commands/setup.test.ts',
  simulate: 'cli/commands/simulate.test.ts',
  val: 'e2e/main-path.test.ts',
  variants: 'cli/selection/measure-variants.test.ts',
  why: 'cli/commands/why.test.ts',
}

const started = new Set<string>()

/** `rollout start` and its like as well. */
function namesBelow(command: Command, path: readonly string[] = []): readonly string[] {
  return command.commands.flatMap((each) => {
    const own = [...path, each.name()]
    return each.commands.length > 0 ? namesBelow(each, own) : [own.join(' ')]
  })
}

/** Runs `yolo-edge NAME ...rest --json` to a good end; gives what it printed. */
async function done(t: Test, name: string, ...rest: string[]): Promise<Record<string, unknown>> {
  started.add(name)
  const { status, stdout, stderr } = await runCommand(t, [...name.split(' '), ...rest, '--json'])
  t.equal(status, 0, `${name}: ${stderr.slice(-400)}`)
  return (stdout === '' ? {} : JSON.parse(stdout)) as Record<string, unknown>
}

t.test('a model is made, looked at, taught and searched', async (t) => {
  const folder = temporaryFolder(t)
  const data = join(folder, 'data')
  const counts = { train: '16', val: '4', golden: '1' }
  const wanted = Object.entries(counts).flatMap(([split, count]) => [`--${split}`, count])
  t.match(await done(t, 'generate', data, ...wanted, '--size', '64'), { train: 16, val: 4, golden: 1 })
  const scale = { depth: 0.33, width: 0.0625, channelsMax: 64 }
  const network = buildNetwork({ scale, classNames: partNames, inputWidth: 64, inputHeight: 64, seed: 1 })
  const model = join(folder, 'model.onnx')
  writeFileSync(model, exportModel(network))

  const { nodes, macs } = await done(t, 'inspect', model, '--nodes')
  const each = nodes as readonly { readonly operator: string; readonly macs: number | null }[]
  t.ok(each.some(({ operator }) => operator === 'Conv'))
  t.equal(
    each.reduce((sum, node) => sum + (node.macs ?? 0), 0),
    macs,
    'nodes add up to the model',
  )

  const brief = ['--epochs', '0.25', '--batch', '4', '--threads', '1']
  const trained = join(folder, 'trained.onnx')
  t.match(await done(t, 'train', data, '--out', trained, '--size', '64', ...brief), {
    model: trained,
    steps: 1,
  })
  for (const [name, rest] of [
    ['finetune', []],
    ['distil', ['--teacher', model]],
    ['qat', ['--target', 'x64', '--images', '8']],
  ] as const) {
    const out = join(folder, `${name}.onnx`)
    const made = await done(t, name, model, data, '--out', out, ...brief, ...rest)
    t.match(made, { model: out, steps: 1, measurements: [{ step: 0 }, { step: 1 }] }, name)
    t.match(await done(t, 'inspect', out), { detector: { classNames: [...partNames] } }, name)
  }
  const pictures = join(data, 'train', 'images')
  const unmeasured = [model, pictures, '--teacher', model, '--out', join(folder, 'x'), '--measure-every', '1']
  t.match(await runCommand(t, ['distil', ...unmeasured]), {
    status: 2,
    stderr: /--measure-every 1 without labelled pictures to measure with: expected --val, or a data\.yaml/,
  })

  const bundle = join(folder, 'bundle')
  const search = [model, '--out', bundle, '--calib', pictures, '--val', join(data, 'val')]
  const bounds = ['--budget', 'size<=9MB', '--for', 'arm64', '--time', '1s', '--threads', '1']
  const found = await done(t, 'search', ...search, ...bounds)
  t.match(found, { bundle, budgets: [{ budget: 'size<=9MB' }] })
  t.ok((found['variants'] as readonly unknown[]).length > 0)
})

t.test('a search that lacks something says what', async (t) => {
  const given = ['model.onnx', '--out', 'out', '--calib', 'pictures', '--val', 'labelled']
  t.match(await runCommand(t, ['search', ...given]), {
    status: 2,
    stderr: /required option '--budget <bounds>'/,
  })
  for (const [rest, problem] of [
    [['--budget', 'small'], /small/],
    [['--budget', 'ms<=20', '--images', '65'], /--images 65: expected a whole number 8\.\.64/],
    [['--budget', 'ms<=20', '--target', 'x64,arm64'], /--target x64,arm64: expected one of/],
    [['--budget', 'ms<=20', '--int8'], /unknown option '--int8'/],
  ] as const)
    t.match(await runCommand(t, ['search', ...given, ...rest]), { stderr: problem })
})

t.test('a fleet is told and asked', async (t) => {
  const folder = temporaryFolder(t)
  const broker = await startBroker(t)
  const there = ['--broker', broker.url]
  const key = join(folder, 'fleet.key')
  t.match(await done(t, 'keygen', join(folder, 'fleet')), { private: key })
  const model = join(projectRoot, 'models', 'parts', 'parts.onnx')
  const named = ['--name', 'parts', '--model-version', '1.0.0', '--no-wish']
  t.match(await done(t, 'publish', model, ...named, '--sign', key, ...there), { version: '1.0.0' })
  const wish = ['parts', '1.0.0', '--percent', '0']
  t.match(await done(t, 'rollout start', ...wish, '--sign', key, ...there), { phase: 'running' })
  t.match(await done(t, 'rollout widen', '--percent', '50', '--sign', key, ...there), {
    rollout: { percent: 50 },
  })
  started.add('rollout serve')
  const serving = startCommand(t, ['rollout', 'serve', '--sign', key, '--period', '1s', ...there])
  await until(() => serving.stderr().includes('carrying out the plans of rollouts'))
  serving.kill('SIGINT')
  t.equal(await serving.ended, 0)
  t.match(await done(t, 'rollout abort', '--sign', key, ...there), { phase: 'aborted' })
  t.match(await done(t, 'rollout status', ...there), { versions: [] })
  started.add('deployments')
  t.match(await runCommand(t, ['deployments', 'nobody', '--timeout', '1', ...there]), {
    status: 6,
    stderr: /nobody/,
  })
  t.match(await done(t, 'protocol', '--out', join(folder, 'protocol')), { folder: join(folder, 'protocol') })

  started.add('dashboard')
  const page = startCommand(t, ['dashboard', '--port', '0'])
  await until(() => page.stdout().includes('http://'))
  t.match(await (await fetch(page.stdout().trim())).text(), /<html/)
  page.kill('SIGTERM')
  t.equal(await page.ended, 0)
})

t.test('a device is set up', async (t) => {
  t.match(await done(t, 'check-config', '--set', 'log.level=debug'), { log: { level: 'debug' } })
  started.add('doctor')
  const root = layOutBoard('pi-5', temporaryFolder(t))
  const { stdout } = await runCommand(t, ['doctor', '--root', root, '--json'])
  t.match(JSON.parse(stdout), { hardware: { arch: 'arm64' }, findings: [{ state: /ok|warning|fault/ }] })
  const seen = await done(t, 'demo', '--duration', '1', '--set', 'selection.trial_runs=5')
  t.match(seen, { model: { name: 'parts' }, source: 'conveyor' })
})

t.test('no command is left out', (t) => {
  const names = namesBelow(program())
  const files = readdirSync(join(projectRoot, 'src', 'cli', 'commands')).map((file) =>
    file.replace('.ts', ''),
  )
  t.same([...new Set(names.map((name) => name.split(' ')[0]))].sort(), files.sort(), 'each file is a command')
  for (const name of names) t.ok(started.has(name) || name in elsewhere, name)
  for (const [name, file] of Object.entries(elsewhere)) {
    t.ok(names.includes(name), name)
    const words = name.split(' ').map((word) => `'?${word}'?`)
    t.match(readFileSync(join(projectRoot, 'test', file), 'utf8'), new RegExp(words.join('(, | )')), file)
  }
  t.end()
})
