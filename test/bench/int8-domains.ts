/**
 * What an int8 model loses when its calibration pictures show something else than what it will see: other domains, even gray, rows of weights near zero.
 *
 *     npm run bench -- int8-domains [--pictures 250] [--only yolov8n,parts,near-dead] [--before FOLDER] [--page FILE]
 *
 * Points of mAP50-95 against the float model, with the 95 % interval of the paired bootstrap. YOLOv8n is measured on coco/val, the project's
 * own model on its own pictures. FOLDER may hold MODEL-CALIBRATION.onnx files of another build, which are measured beside;
 * `--write FOLDER` writes the pictures and the files of this one there.
 */

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import sharp from 'sharp'
import { graphRunner } from '../../src/cli/compress/graph-runner.js'
import { openDataset } from '../../src/cli/dataset/open-dataset.js'
import { measureAccuracy } from '../../src/cli/measure/measure-accuracy.js'
import { writeConveyor } from '../../src/cli/training/write-conveyor.js'
import { toEdgeForm } from '../../src/compress/edge-form.js'
import { calibrate, quantize } from '../../src/compress/quantization/quantize.js'
import { int8Target } from '../../src/compress/quantization/targets.js'
import { bootstrapDifference } from '../../src/evaluation/bootstrap.js'
import { exportModel } from '../../src/onnx/export-model.js'
import type { Graph } from '../../src/onnx/graph.js'
import { importModel } from '../../src/onnx/import-model.js'
import type { FloatTensor } from '../../src/onnx/tensor.js'
import { applyPatch } from '../../src/onnx/patch.js'
import { describeModel } from '../../src/yolo/model-description.js'
import { machineTarget } from '../../src/cli/compress/machine-target.js'
import { imagesIn } from '../helpers/calibration-images.js'
import { writePage } from '../helpers/generated-page.js'
import { projectRoot, shared } from '../helpers/paths.js'

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    pictures: { type: 'string', default: '250' },
    only: { type: 'string', default: 'yolov8n,parts,near-dead' },
    before: { type: 'string' },
    write: { type: 'string' },
    page: { type: 'string', default: join(projectRoot, 'test', 'bench', 'int8-domains.md') },
  },
})
const limit = Number(values.pictures)
const sections = values.only.split(',')
const target = int8Target(await machineTarget())
const folder = values.write ?? mkdtempSync(join(tmpdir(), 'yolo-edge-domains-'))
mkdirSync(folder, { recursive: true })
const grayCount = 8
const fewCount = 24
/** Drawn pictures to measure the own model with: so many that the intervals are narrower than the differences asked about. */
const ownCount = 1500
/** Rows of weights that are made small, and by how much. */
const deadRows = 4
const deadLayers = 3
const deadFactors = [1e-3, 1e-6, 1e-9, 0]

type Accuracy = Awaited<ReturnType<typeof measureAccuracy>>

interface Subject {
  readonly name: string
  readonly edge: Graph
  readonly calibrations: readonly string[]
  readonly data: string
  /** How many of its pictures are looked at, at most. */
  readonly pictures: number
}

const conveyor = join(folder, 'conveyor')
const own = join(folder, 'own')
const gray = join(folder, 'gray')
const calibrationFolders: Readonly<Record<string, string>> = {
  'its own kind, COCO': shared('coco', 'calib', 'images'),
  '24 of COCO': shared('coco', 'calib', 'images'),
  '24 of a conveyor': join(conveyor, 'train', 'images'),
  '8 gray': gray,
}

if (!existsSync(conveyor)) {
  await writeConveyor(
    conveyor,
    { counts: { train: fewCount, val: 1, golden: 1 }, size: 320, seed: 7 },
    () => undefined,
  )
  await writeConveyor(
    own,
    { counts: { train: 1, val: ownCount, golden: 1 }, size: 320, seed: 1 },
    () => undefined,
  )
  mkdirSync(gray)
  for (let index = 0; index < grayCount; index++) {
    const level = 96 + 8 * index
    const background = { r: level, g: level, b: level }
    await sharp({ create: { width: 640, height: 480, channels: 3, background } })
      .png()
      .toFile(join(gray, `${index}.png`))
  }
}

const subjects: readonly Subject[] = [
  {
    name: 'yolov8n',
    edge: toEdgeForm(importModel(readFileSync(shared('models', 'yolov8n.onnx')))),
    calibrations: ['its own kind, COCO', '24 of a conveyor', '8 gray'],
    data: shared('coco', 'val'),
    pictures: limit,
  },
  {
    name: 'parts',
    edge: partsModel(),
    calibrations: ['24 of a conveyor', '24 of COCO', '8 gray'],
    data: own,
    pictures: ownCount,
  },
]

const rows: string[][] = []
for (const subject of subjects) {
  if (!sections.includes(subject.name)) continue
  const judge = await judgeOf(subject)
  for (const calibration of subject.calibrations) {
    const images = imagesIn(
      calibrationFolders[calibration]!,
      calibration.startsWith('24') ? fewCount : Infinity,
    )
    const bytes = await int8Of(subject.edge, images)
    const key = `${subject.name}-${calibration.replaceAll(/\W+/g, '-')}.onnx`
    if (values.write !== undefined) writeFileSync(join(folder, key), bytes)
    const earlier = values.before === undefined ? undefined : join(values.before, key)
    const before = earlier !== undefined && existsSync(earlier) ? await judge(readFileSync(earlier)) : ''
    rows.push([subject.name, calibration, await judge(bytes), before])
    console.log(rows.at(-1)!.join('  |  '))
  }
}
if (sections.includes('near-dead')) {
  const edge = partsModel()
  const judge = await judgeOf({
    name: 'parts',
    edge: withSmallRows(edge, 0),
    calibrations: [],
    data: own,
    pictures: ownCount,
  })
  for (const factor of deadFactors) {
    const bytes = await int8Of(withSmallRows(edge, factor), imagesIn(calibrationFolders['24 of a conveyor']!))
    const name = `24 of a conveyor, ${deadRows * deadLayers} rows times ${factor}`
    rows.push(['parts', name, await judge(bytes), ''])
    console.log(rows.at(-1)!.join('  |  '))
  }
}
const text = [
  '# Calibration pictures that show something else',
  '',
  `\`npm run bench -- int8-domains\` writes this page: points of mAP50-95 of an int8 model (${target.name}) against its float model, with the 95 % interval. YOLOv8n on ${limit} pictures of coco/val, the project's own model on ${ownCount} of its own; rows of weights near zero beside the float model whose rows are zero.`,
  '',
  '| model | calibrated on | points | another build |',
  '| --- | --- | --- | --- |',
  ...rows.map((cells) => `| ${cells.join(' | ')} |`),
].join('\n')
if (sections.length === 3) await writePage(values.page, text)
else console.log(text)
if (values.write === undefined) rmSync(folder, { recursive: true })

function partsModel(): Graph {
  return toEdgeForm(importModel(readFileSync(join(projectRoot, 'models', 'parts', 'parts.onnx'))))
}

async function int8Of(edge: Graph, images: ReturnType<typeof imagesIn>): Promise<Uint8Array> {
  const options = { target, method: 'silu', biasCorrection: true } as const
  return exportModel(quantize(edge, await calibrate(edge, options, graphRunner(), images), options).graph)
}

/** Measures files against the float model of `subject`, and puts the difference in words. */
async function judgeOf({ edge, data, pictures }: Subject): Promise<(bytes: Uint8Array) => Promise<string>> {
  const { classNames } = describeModel(edge)
  const whole = await openDataset(data, classNames, { note: () => undefined })
  const dataset = { ...whole, images: whole.images.slice(0, pictures) }
  const accuracyOf = (bytes: Uint8Array): Promise<Accuracy> =>
    measureAccuracy(
      { bytes, description: describeModel(importModel(bytes)) },
      dataset,
      { intraOpThreads: 2 },
      () => undefined,
    )
  const float = await accuracyOf(exportModel(edge))
  return async (bytes) => {
    const { difference, low, high } = bootstrapDifference(float.matches, (await accuracyOf(bytes)).matches)
    const points = (value: number): string => `${value > 0 ? '+' : ''}${(100 * value).toFixed(2)}`
    return `${points(difference)} (${points(low)} .. ${points(high)})`
  }
}

/** `graph` with weights times `factor` in the rows of the largest biases, a few of each of its first wide convolutions. */
function withSmallRows(graph: Graph, factor: number): Graph {
  const wide = graph.nodes.filter((node) => {
    const [filters = 0, inputs = 0] = graph.initializers.get(node.inputs[1] ?? '')?.dims ?? []
    return (
      node.opType === 'Conv' && filters >= 16 && inputs >= 8 && graph.initializers.has(node.inputs[2] ?? '')
    )
  })
  const initializers = new Map(
    wide.slice(0, deadLayers).map((node) => {
      const [weight, bias] = [floatsOf(graph, node.inputs[1]!), floatsOf(graph, node.inputs[2]!)]
      const rows = [...bias.data.keys()]
        .sort((a, b) => Math.abs(bias.data[b]!) - Math.abs(bias.data[a]!))
        .slice(0, deadRows)
      const size = weight.data.length / bias.data.length
      const data = weight.data.map((value, at) =>
        rows.includes(Math.floor(at / size)) ? value * factor : value,
      )
      return [node.inputs[1]!, { ...weight, data }] as const
    }),
  )
  return applyPatch(graph, { initializers })
}

function floatsOf(graph: Graph, name: string): FloatTensor {
  const tensor = graph.initializers.get(name)
  if (tensor?.type !== 'float32') throw new TypeError(`${name} is not float32`)
  return tensor
}
