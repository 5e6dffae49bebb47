import { execFile, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import sharp from 'sharp'
import t from 'tap'
import { compressCommand } from '../../../src/cli/commands/compress.js'
import { exportModel } from '../../../src/onnx/export-model.js'
import { optimizedOperators } from '../../../src/cli/measure/optimized-operators.js'
import type { Graph } from '../../../src/onnx/graph.js'
import { importModel } from '../../../src/onnx/import-model.js'
import { ModelProtoSchema } from '../../../src/onnx/proto/onnx_pb.js'
import { buildNetwork } from '../../../src/yolo/build-network.js'
import { lazyBoxesOf } from '../../../src/yolo/lazy-boxes.js'
import { describeModel } from '../../../src/yolo/model-description.js'
import { readExport } from '../../helpers/exports.js'
import { projectRoot } from '../../helpers/paths.js'
import { tinyModel } from '../../helpers/tiny-model.js'

t.setTimeout(600_000)

const program = join(projectRoot, 'dist', 'src', 'cli', 'main.js')
const network = buildNetwork({
  scale: { depth: 0.33, width: 0.0625, channelsMax: 64 },
  classNames: ['bolt', 'nut'],
  inputWidth: 64,
  inputHeight: 64,
  seed: 1,
})
const models = {
  'model.onnx': Buffer.from(exportModel(network)),
  'unknown.onnx': Buffer.from(exportModel(withUnknownOperator(network))),
  'parts.onnx': readFileSync(join(projectRoot, 'models', 'parts', 'parts.onnx')),
  'twice.onnx': Buffer.from(readExport('opset14-raw-batch2')),
  'dynamic.onnx': Buffer.from(readExport('opset13-raw-dynamic')),
  'half-classifier.onnx': tinyModel({
    nodes: [{ opType: 'Relu', inputs: ['images'], outputs: ['probabilities'] }],
    inputs: [{ name: 'images', dims: [1, 10], elementType: 10 }],
    outputs: [{ name: 'probabilities', dims: [1, 10], elementType: 10 }],
    constants: [],
  }),
  'outside.onnx': withOutsideWeights(exportModel(network)),
  'broken.onnx': Buffer.from('this is no model'),
}
const pictures: Record<string, Buffer> = {}
for (let index = 0; index < 8; index++) {
  const background = { r: 30 * index, g: 90, b: 255 - 30 * index }
  const picture = sharp({ create: { width: 96, height: 64, channels: 3, background } })
  pictures[`${index}.jpg`] = await picture.jpeg().toBuffer()
}
const folder = t.testdir({
  ...models,
  pictures,
  empty: {},
  tiny: { '0.jpg': pictures['0.jpg']! },
  corrupt: Object.fromEntries(Object.keys(pictures).map((name) => [name, 'no picture'])),
  other: { 'notes.txt': 'no picture' },
  mixed: { ...pictures, 'a-broken.jpg': 'no picture' },
  taken: { 'report.json': '{}' },
})
const inFolder = (name: string): string => join(folder, name)

/** A SiLU becomes an operator that no runtime knows. */
function withUnknownOperator(graph: Graph): Graph {
  const at = graph.nodes.findIndex(({ opType }) => opType === 'Sigmoid')
  return { ...graph, nodes: graph.nodes.with(at, { ...graph.nodes[at]!, opType: 'Frobnicate' }) }
}

/** The first weights lie in another file. */
function withOutsideWeights(bytes: Uint8Array): Buffer {
  const model = fromBinary(ModelProtoSchema, bytes)
  const weights = model.graph!.initializer[0]!
  weights.dataLocation = 1
  weights.rawData = new Uint8Array()
  return Buffer.from(toBinary(ModelProtoSchema, model))
}

interface Report {
  readonly steps: {
    readonly int8: {
      readonly calibration: object
      readonly targets: readonly { readonly sensitivity?: readonly { readonly error: number }[] }[]
    }
  }
  readonly self_check: {
    readonly held_out: number
    readonly shifted_copies: number
    readonly agrees: boolean
    readonly warnings: readonly string[]
    readonly models: readonly { readonly int8_target: string; readonly f1: number }[]
  }
}

function reportIn(out: string): Report {
  return JSON.parse(readFileSync(inFolder(`${out}/report.json`), 'utf8')) as Report
}

/** Runs the command as the program does; it throws what the program would print. */
async function compress(model: string, calib: string, out: string, ...rest: string[]): Promise<void> {
  const given = [inFolder(model), '--int8', '--calib', inFolder(calib), '--out', inFolder(out), ...rest]
  await compressCommand().exitOverride().parseAsync(given, { from: 'user' })
}

t.test(
  'a model becomes int8: the file, its report, the same bytes each time, and no second time',
  async (t) => {
    const given = ['compress', inFolder('model.onnx'), '--int8', '--calib', inFolder('mixed'), '--json']
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [
      program,
      ...given,
      ...['--out', inFolder('int8'), '--sensitivity'],
    ])
    t.match(stderr, /left out: .*a-broken\.jpg/)
    const files = ['x64-vnni', 'x64', 'arm64'].map((target) => `model-int8-${target}-64.onnx`)
    t.same(readdirSync(inFolder('int8')).sort(), [...files, 'report.html', 'report.json'].sort())
    const bytes = readFileSync(inFolder(`int8/${files[0]!}`))
    const report = reportIn('int8')
    t.match(JSON.parse(stdout), {
      models: [{ file: files[0], size_bytes: bytes.length, int8_target: 'x64-vnni' }],
    })
    const { targets, calibration } = report.steps.int8
    t.same(calibration, { method: 'silu', images: 8, held_out: 0 })
    t.match(targets, [
      { target: 'x64-vnni', weight_bits: 8, rounding: 'nearest' },
      { target: 'x64', weight_bits: 7, rounding: 'compensated' },
      { target: 'arm64', weight_bits: 8, rounding: 'nearest' },
    ])
    const errors = targets[0]!.sensitivity!.map(({ error }) => error)
    t.ok(errors.length > 50)
    t.same(
      errors,
      errors.toSorted((a, b) => b - a),
    )
    const graph = importModel(bytes)
    t.equal(describeModel(graph).inputLayout, 'nhwc-uint8')
    const operators = await optimizedOperators(bytes)
    // `Convolution` is the fused operator that takes their place where the processor has VNNI.
    const convolutions = (operators.get('QLinearConv') ?? 0) + (operators.get('Convolution') ?? 0)
    t.ok(convolutions >= 57, `${convolutions} convolutions`)
    t.equal(operators.get('Sigmoid'), undefined, 'no activation in float')
    t.equal(operators.get('DequantizeLinear'), undefined, 'heads leave as bytes')
    t.ok(graph.outputs.every(({ type }) => type === 'uint8'))
    await compress('model.onnx', 'mixed', 'again', '--target', 'x64-vnni')
    t.same(readFileSync(inFolder(`again/${files[0]!}`)), bytes, 'alone or beside others')
    await t.rejects(compress(`int8/${files[0]!}`, 'pictures', 'second'), {
      code: 'model.quantized_already',
    })
    t.notOk(existsSync(inFolder('second')))
  },
)

t.test('fewer bits are rounded with compensation, unless asked otherwise', async (t) => {
  for (const [out, rest, rounding] of [
    ['four', ['--bits', '4'], 'compensated'],
    ['nearest', ['--bits', '4', '--rounding', 'nearest', '--method', 'percentile'], 'nearest'],
  ] as const) {
    await compress('model.onnx', 'pictures', out, '--target', 'x64-vnni', ...rest)
    t.match(reportIn(out).steps.int8.targets, [{ weight_bits: 4, rounding }])
  }
  const [four, nearest] = ['four', 'nearest'].map((out) =>
    readFileSync(inFolder(`${out}/model-int8-x64-vnni-64.onnx`)),
  )
  t.notSame(four, nearest)
})

t.test(
  'an int8 model for processors computes boxes where something is seen, one for others everywhere',
  async (t) => {
    for (const [target, isLazy] of [
      ['x64', true],
      ['qdq', false],
    ] as const) {
      await compress('parts.onnx', 'pictures', target, '--target', target)
      const graph = importModel(readFileSync(inFolder(`${target}/parts-int8-${target}-160.onnx`)))
      t.equal(lazyBoxesOf(graph.metadata) !== undefined, isLazy, target)
      const { output } = describeModel(graph)
      t.equal(output.kind === 'heads' && output.thresholdName !== undefined, isLazy)
    }
  },
)

t.test('a model with free sizes is fixed to the size it was exported with', async (t) => {
  await compress('dynamic.onnx', 'pictures', 'fixed', '--method', 'min-max', '--target', 'arm64')
  const [input] = importModel(readFileSync(inFolder('fixed/dynamic-int8-arm64-64.onnx'))).inputs
  t.same(input, { name: 'images', type: 'uint8', shape: [1, 64, 64, 3] })
})

const refusals: readonly (readonly [
  what: string,
  code: string,
  model: string,
  calib: string,
  rest: string[],
])[] = [
  ['no file', 'model.file_unreadable', 'absent.onnx', 'pictures', []],
  ['a file that is no model', 'model.', 'broken.onnx', 'pictures', []],
  ['weights in another file', 'model.op_unsupported', 'outside.onnx', 'pictures', []],
  ['a model of two pictures at once', 'model.not_yolov8', 'twice.onnx', 'pictures', []],
  ['an operator that nobody knows', '', 'unknown.onnx', 'pictures', []],
  ['no folder of pictures', 'dataset.folder_unusable', 'model.onnx', 'absent', []],
  ['an empty folder', 'dataset.folder_unusable', 'model.onnx', 'empty', []],
  ['too few pictures', 'dataset.folder_unusable', 'model.onnx', 'tiny', []],
  ['pictures that are none', 'dataset.folder_unusable', 'model.onnx', 'corrupt', []],
  ['a folder of other files', 'dataset.folder_unusable', 'model.onnx', 'other', []],
  ['a limit without labels', 'dataset.folder_unusable', 'model.onnx', 'pictures', ['--max-drop', '0.01']],
  ['one bit', 'cli.argument_invalid', 'model.onnx', 'pictures', ['--bits', '1']],
  ['an unknown method', 'cli.argument_invalid', 'model.onnx', 'pictures', ['--method', 'magic']],
  ['an unknown rounding', 'cli.argument_invalid', 'model.onnx', 'pictures', ['--rounding', 'up']],
  ['an unknown target', 'cli.argument_invalid', 'model.onnx', 'pictures', ['--target', 'riscv']],
  [
    'a target twice',
    'cli.argument_invalid',
    'model.onnx',
    'pictures',
    ['--target', 'x64', '--target', 'arm64,x64'],
  ],
  ['an agreement of two', 'cli.argument_invalid', 'model.onnx', 'pictures', ['--min-agreement', '2']],
  ['half floats that are no detector', 'model.not_yolov8', 'half-classifier.onnx', 'pictures', []],
  [
    'an agreement that cannot be told',
    'compress.agreement_low',
    'model.onnx',
    'pictures',
    ['--strict', '--target', 'x64-vnni'],
  ],
  ['a budget', 'cli.argument_invalid', 'model.onnx', 'pictures', ['--budget', 'size<=1MB']],
]

t.test('what cannot be compressed is refused by name, and no folder is left', async (t) => {
  for (const [what, code, model, calib, rest] of refusals) {
    const thrown: unknown = await compress(model, calib, 'refused', ...rest).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    const refused = thrown as { code?: string; message?: string } | undefined
    t.ok(
      refused?.code?.startsWith(code),
      `${what}: ${refused?.code ?? 'accepted'}: ${refused?.message ?? ''}`,
    )
    t.notOk(existsSync(inFolder('refused')), `${what}: no folder`)
  }
  t.notOk(
    readdirSync(folder).some((name) => name.includes('refused')),
    'no part of a folder either',
  )
})

t.test('options of integers without --int8 are refused', async (t) => {
  for (const rest of [['--target', 'x64'], ['--bits', '4'], ['--no-bias-correction']]) {
    const given = [inFolder('model.onnx'), '--out', inFolder('unused'), '--sparsity', '0.5', ...rest]
    await t.rejects(compressCommand().exitOverride().parseAsync(given, { from: 'user' }), {
      code: 'cli.argument_invalid',
      message: `${rest[0]!} without --int8: expected --int8 as well`,
    })
  }
  t.notOk(existsSync(inFolder('unused')))
})

t.test('--budget names the command that has taken it over', async (t) => {
  await t.rejects(compress('model.onnx', 'pictures', 'unused', '--budget', 'ms<=20'), {
    message:
      'compress --budget ms<=20: compress makes one model, expected yolo-edge search, which finds variants within a budget',
    hint: "yolo-edge search MODEL --budget 'ms<=20' --calib PICTURES --val LABELLED --out BUNDLE",
  })
})

t.test('a plan file counts as the options that would say the same', async (t) => {
  const plan = (name: string, text: string): string => {
    writeFileSync(inFolder(name), text)
    return inFolder(name)
  }
  const run = (...rest: string[]): Promise<unknown> =>
    compressCommand()
      .exitOverride()
      .parseAsync([inFolder('model.onnx'), '--out', inFolder('planned'), ...rest], { from: 'user' })
  const sparse = plan('sparse.yaml', 'sparsity: { sparsity: 0.3, criterion: random }')
  await t.rejects(run('--plan', sparse, '--bits', '4'), { message: /^--bits without --int8/ })
  await t.rejects(run('--plan', sparse, '--sparse-by', 'l1', '--seed', '4'), { message: /^--seed without/ })
  await run('--plan', sparse, '--seed', '4')
  t.match(reportIn('planned').steps, { sparse: { plan: { criterion: 'random', seed: 4 } } })
  const planned = readFileSync(inFolder('planned/model-sparse.onnx'))
  rmSync(inFolder('planned'), { recursive: true })
  await run('--plan', sparse, '--seed', '5')
  t.notSame(readFileSync(inFolder('planned/model-sparse.onnx')), planned, 'another seed, another draw')
})

t.test('a file system that takes no more bytes leaves no folder', (t) => {
  const given = ['compress', inFolder('model.onnx'), '--out', inFolder('full'), '--sparsity', '0.5']
  // Without the test runner's own loader, which ends the process at the signal for files that grow too large.
  const limited = 'unset NODE_OPTIONS; trap "" XFSZ; ulimit -f 8; exec "$0" "$@"'
  const { status, stderr } = spawnSync('sh', ['-c', limited, process.execPath, program, ...given], {
    encoding: 'utf8',
  })
  t.not(status, 0)
  t.match(stderr, /resource\.disk_full: cannot write /)
  t.notOk(readdirSync(folder).some((name) => name.includes('full')))
  t.end()
})

t.test('a folder that holds something is refused before any work, and kept', async (t) => {
  await t.rejects(compress('model.onnx', 'pictures', 'taken'), { code: 'cli.argument_invalid' })
  t.same(readdirSync(inFolder('taken')), ['report.json'])
})
