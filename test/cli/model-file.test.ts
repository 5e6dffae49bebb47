import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { atSize, readDetectorFile, readFloatDetector } from '../../src/cli/model-file.js'
import { compressCommand } from '../../src/cli/commands/compress.js'
import { distilCommand } from '../../src/cli/commands/distil.js'
import { finetuneCommand } from '../../src/cli/commands/finetune.js'
import { qatCommand } from '../../src/cli/commands/qat.js'
import { searchCommand } from '../../src/cli/commands/search.js'
import { toEdgeForm } from '../../src/compress/edge-form.js'
import { makeBundle } from '../../src/cli/bundle/make-bundle.js'
import { exportModel } from '../../src/onnx/export-model.js'
import type { Graph } from '../../src/onnx/graph.js'
import { importModel } from '../../src/onnx/import-model.js'
import { describeModel as describe } from '../../src/yolo/model-description.js'
import { eligibleVariants } from '../../src/update/eligibility.js'
import { exportForms, withFinalBoxes } from '../helpers/export-forms.js'
import { readExport } from '../helpers/exports.js'
import { projectRoot } from '../helpers/paths.js'

t.setTimeout(120_000)

const network = importModel(readExport('newest'))
const final = withFinalBoxes(network, 20)
const dynamic = importModel(readExport('opset13-raw-dynamic'))
const unsized: Graph = { ...dynamic, metadata: new Map() }
const picture = await sharp({ create: { width: 96, height: 64, channels: 3, background: '#a05030' } })
  .png()
  .toBuffer()
const folder = t.testdir({ 'picture.png': picture, pictures: { '0.png': picture } })
const inFolder = (name: string): string => join(folder, name)
for (const [name, graph] of Object.entries({ final, unsized, dynamic })) {
  writeFileSync(inFolder(`${name}.onnx`), exportModel(graph))
}

function yoloEdge(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const program = join(projectRoot, 'dist', 'src', 'cli', 'main.js')
  return spawnSync(process.execPath, [program, ...args], { cwd: folder, encoding: 'utf8' })
}

t.test('final boxes are served, and refused at once where something would change them', async (t) => {
  t.equal((await readDetectorFile(inFolder('final.onnx'))).description.output.kind, 'boxes')
  await t.rejects(readFloatDetector(inFolder('final.onnx')), {
    code: 'model.op_unsupported',
    message: /final\.onnx: the model selects its final boxes itself \(output final \[1,N,6\]\)/,
    hint: /nms=None/,
  })
  const seen = yoloEdge('detect', 'picture.png', '--model', 'final.onnx', '--conf', '0', '--iou', '0.5')
  t.equal(seen.status, 0, seen.stderr)
  t.match(seen.stdout, /picture\.png: \d+ /)
  t.match(seen.stderr, /--iou changes nothing: the model removes overlapping boxes itself/)
  t.match(yoloEdge('inspect', 'final.onnx').stdout, /64x64 nchw-float, final boxes/)
  const [data, path] = [inFolder('pictures'), inFolder('final.onnx')]
  const out = ['--out', inFolder('small')]
  for (const [command, ...args] of [
    [compressCommand(), path, '--int8', '--calib', data],
    [compressCommand(), path, '--prune', 'macs=0.8', '--calib', data],
    [searchCommand(), path, '--budget', 'size<=1MB', '--calib', data, '--val', data],
    [finetuneCommand(), path, data],
    [qatCommand(), path, data],
    [distilCommand(), inFolder('dynamic.onnx'), data, '--teacher', path],
  ] as const) {
    await t.rejects(
      command.parseAsync([...args, ...out], { from: 'user' }),
      { code: 'model.op_unsupported', message: /final boxes itself/, hint: /export it with nms=None/ },
      `${command.name()} ${args.slice(1, 2).join('')}`,
    )
  }
})

t.test('any ONNX file is opened and its operators are listed', (t) => {
  const old = { ...network, opsets: new Map([['', 9]]) }
  writeFileSync(inFolder('old.onnx'), exportModel(old))
  const { status, stdout } = yoloEdge('inspect', 'old.onnx')
  t.equal(status, 0)
  t.match(stdout, /opset 9\nno detector {3}.*operator set 9, expected 11 or newer/)
  t.match(stdout, /Conv +\d+/)
  t.end()
})

t.test('a dynamic input without imgsz takes the size it is given, and keeps it', async (t) => {
  await t.rejects(readDetectorFile(inFolder('unsized.onnx')), { code: 'model.not_yolov8', hint: /--size/ })
  const size = { width: 96, height: 64 }
  const { description, graph, bytes } = await readDetectorFile(inFolder('unsized.onnx'), size)
  t.match(description, { inputWidth: 96, inputHeight: 64, classNames: ['class_0', 'class_1'] })
  t.same(graph.inputs[0]!.shape, [1, 3, 64, 96])
  t.same(importModel(bytes).inputs, graph.inputs)
  t.equal(atSize(dynamic, undefined), dynamic)
  t.throws(() => atSize(network, size), { message: /input width is 64, and 96 was asked for/ })
  const read = await readFloatDetector(inFolder('unsized.onnx'), { width: 64, height: 64 })
  t.match(describe(toEdgeForm(read.graph)), {
    inputLayout: 'nhwc-uint8',
    inputWidth: 64,
    inputHeight: 64,
  })
})

t.test(
  'a manifest names the form of each file, and a device leaves out a form that it does not know',
  (t) => {
    const forms = exportForms(network)
    const named = [
      network,
      final,
      forms.get('transposed')!,
      forms.get('divides by 255')!,
      forms.get('apart')!,
    ]
    const files = named.map((graph, index) => ({ graph, path: `${index}.onnx`, bytes: exportModel(graph) }))
    const { manifest } = makeBundle(
      files.map((file) => ({ ...file, description: describe(file.graph) })),
      {
        model: 'parts',
        version: '1.0.0',
        sequence: 1,
        createdAt: '2026-01-01T00:00:00.000Z',
        toolVersion: '0.1.0',
      },
    )
    t.same(
      manifest.variants.map(({ form }) => form),
      ['export', 'final', 'custom', 'custom', 'custom'],
    )
    const unknown = { ...manifest.variants[0]!, id: 'of-tomorrow', form: 'tensors-of-tomorrow' }
    const profile = {
      kinds: ['onnx'],
      providers: ['cpu'],
      cpuFeatures: [],
      int8Targets: [],
      encodings: ['none', 'br'],
      memoryBytes: 2 ** 33,
      chips: [],
      platformRuntimes: {},
    }
    const { variants, discarded } = eligibleVariants([...manifest.variants, unknown], profile, {
      policy: 'balanced',
    } as never)
    t.equal(variants.length, 5)
    t.match(discarded, [{ variant: 'of-tomorrow', reason: /form tensors-of-tomorrow are not known here/ }])
    t.end()
  },
)
