import t, { type Test } from 'tap'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { bundleFrom } from '../../../src/cli/bundle/published-bundle.js'
import { choiceLines } from '../../../src/cli/selection/bench-variants.js'
import { measureVariants, type MeasuredBundle } from '../../../src/cli/selection/measure-variants.js'
import { stageBundle } from '../../../src/cli/selection/staged-bundle.js'
import { systemClock } from '../../../src/base/clock.js'
import { inferenceWith } from '../../../src/agent/runtimes/installed-runtimes.js'
import type { Config } from '../../../src/config/config.js'
import { loadConfig } from '../../../src/config/load.js'
import { exportModel } from '../../../src/onnx/export-model.js'
import { importModel } from '../../../src/onnx/import-model.js'
import type { MeasuredVariant } from '../../../src/update/choose-variant.js'
import { layOutBoard } from '../../helpers/boards.js'
import { projectRoot, shared, skipWithout } from '../../helpers/paths.js'
import { tinyDetector } from '../../helpers/tiny-detector.js'

const program = join(projectRoot, 'dist', 'src', 'cli', 'main.js')

/** A detector that calls itself int8 for `target`; its work are `products` of matrices of `side` x `side`, and their sums. */
function writeVariant(
  folder: string,
  name: string,
  target: string | undefined,
  products: number,
  side = 128,
): string {
  const { bytes } = tinyDetector({ size: 32, burden: { side, products } })
  const graph = importModel(bytes)
  const metadata = new Map(graph.metadata)
  if (target !== undefined) metadata.set('yolo_edge.int8_target', target)
  const path = join(folder, `${name}.onnx`)
  writeFileSync(path, exportModel({ ...graph, metadata }))
  return path
}

async function measure(
  t: Test,
  paths: readonly string[],
  settings: Readonly<Record<string, unknown>>,
  hardwareRoot?: string,
): Promise<MeasuredBundle> {
  const bundle = await bundleFrom(paths, {}, [], systemClock.wallMs())
  const staged = await stageBundle(bundle)
  t.teardown(() => staged.remove())
  return measureVariants(bundle.manifest, staged.store, {
    config: configOf(settings),
    clock: systemClock,
    signal: new AbortController().signal,
    ...(hardwareRoot !== undefined && { hardwareRoot }),
    onProgress: () => undefined,
  })
}

/** What the policy has to take; which one that is differs from machine to machine. */
function fastestOf({ measured }: MeasuredBundle): MeasuredVariant {
  return [...measured].sort((a, b) => a.latency.p95Ms - b.latency.p95Ms)[0]!
}

const quick = { 'selection.policy': 'latency-first', 'selection.trial_runs': 5, 'inference.threads': 1 }

t.test(
  'with VNNI hidden its variant is refused, and the one that measures best of the others is taken',
  async (t) => {
    const folder = t.testdir({ files: {}, board: {} })
    const files = join(folder, 'files')
    const paths = [
      writeVariant(files, 'vnni', 'x64-vnni', 1),
      writeVariant(files, 'x64', 'x64', 400),
      writeVariant(files, 'plain', undefined, 1),
    ]
    const hidden = await measure(t, paths, quick, layOutBoard('x86-j4125', join(folder, 'board')))
    t.match(hidden.refused, [
      { variant: 'fp32-x64-vnni-32', reason: /needs CPU instructions avx512_vnni or avx_vnni/ },
    ])
    t.same(hidden.failed, [])
    t.equal(hidden.choice?.chosen, fastestOf(hidden))
    t.equal(hidden.measured.length, 2)
  },
)

t.test('what measures best is taken, whatever was guessed', async (t) => {
  const folder = t.testdir({ files: {}, board: {} })
  const files = join(folder, 'files')
  const paths = [writeVariant(files, 'slow', 'x64-vnni', 0, 3000), writeVariant(files, 'quick', 'x64', 2)]
  // Sums over nine million numbers are no multiply-accumulates: the guess does not see them.
  const found = await measure(t, paths, quick, layOutBoard('x86-n100', join(folder, 'board')))
  t.comment(choiceLines(found).join('\n'))
  t.equal(found.guessed[0]?.int8Target, 'x64-vnni')
  t.equal(found.choice?.chosen, fastestOf(found))
  const lines = choiceLines(found)
  t.match(lines[0], /guess +variant +provider/)
  t.ok(lines.some((line) => line.includes(' because latency-first: p95 ')))
  t.equal(lines.filter((line) => line.startsWith('not ')).length, 1)
})

t.test(
  'published int8 exports: the guess is beaten by the measurement',
  { skip: skipWithout('models', 'peers') },
  async (t) => {
    const peers = ['dynamic_u8_640', 'qdq_conv_entropy_640'].map((name) =>
      shared('models', 'peers', `yolov8n_${name}.onnx`),
    )
    const found = await measure(t, peers, { ...quick, 'selection.trial_runs': 7, 'inference.threads': 0 })
    t.equal(found.guessed[0]?.id, 'yolov8n_dynamic_u8_640')
    t.equal(found.choice?.chosen, fastestOf(found))
    t.comment(choiceLines(found).join('\n'))
  },
)

t.test('the command tells the choice, for people and for programs', async (t) => {
  const folder = t.testdir({ files: {}, board: {} })
  const files = join(folder, 'files')
  const paths = [writeVariant(files, 'one', undefined, 1), writeVariant(files, 'two', 'arm64', 1)]
  const run = promisify(execFile)
  const set = ['--set', 'selection.trial_runs=5', '--set', 'inference.threads=1']
  const { stdout } = await run(process.execPath, [program, 'bench', '--all-variants', ...paths, ...set])
  t.match(stdout, process.arch === 'x64' ? /not fp32-arm64-32: int8 for arm64/ : /because/)
  const orin = layOutBoard('jetson-orin-nano', join(folder, 'board'))
  const { stdout: table } = await run(process.execPath, [
    program,
    'variants',
    ...paths,
    '--root',
    orin,
    '--json',
  ])
  const { machines } = JSON.parse(table) as { readonly machines: readonly { readonly board: string }[] }
  t.match(machines, [{ board: 'NVIDIA Jetson Orin Nano Developer Kit', refused: [] }])
})

/** Settings as the command hands them on, which has looked what runtimes there are: none here. */
function configOf(settings: Readonly<Record<string, unknown>>): Config {
  const config = loadConfig({ env: {}, overrides: new Map(Object.entries(settings)) })
  return { ...config, inference: inferenceWith(config.inference, []) }
}
