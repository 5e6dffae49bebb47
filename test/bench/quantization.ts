/**
 * What quantisation costs and gives on the reference model: calibration methods, bits of the weights, speed beside
 * float and the peers.
 * Threads do not spin while they wait: with many sessions open, those of one would take the cores of another.
 * Run: npm run bench:quantization [-- --target x64-vnni] [--only methods,bits,speed,peers] [--keep FOLDER] [--peer FILE ...]
 *      [--pictures 250] [--bit-pictures 100] [--rounds 40] [--methods silu,mse] [--bits 8,4] [--part NAME]
 * The target is that of this machine unless given. The tables go into its part of test/bench/quantization.md, or into the
 * part NAME. Rows that FOLDER/rows.json holds are not measured again, so the tables may be made in parts.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { quantileOf } from '../../src/base/numeric.js'
import { listImages } from '../../src/camera/image-files.js'
import { systemClock } from '../../src/base/clock.js'
import { measureSpeed } from '../../src/cli/measure/measure-speed.js'
import { pictureFrames } from '../../src/cli/measure/speed-frames.js'
import { samplesOf } from '../../src/compress/calibration-samples.js'
import { toEdgeForm } from '../../src/compress/edge-form.js'
import { calibrationMethods } from '../../src/compress/quantization/calibration/range-methods.js'
import { type Calibration, calibrate, quantize } from '../../src/compress/quantization/quantize.js'
import { roundWeights, weightSchemes } from '../../src/compress/quantization/round-weights.js'
import { int8Target } from '../../src/compress/quantization/targets.js'
import { collectInputMoments, type InputMoments } from '../../src/compress/restoration/input-moments.js'
import { exportModel } from '../../src/onnx/export-model.js'
import type { Graph } from '../../src/onnx/graph.js'
import { importModel } from '../../src/onnx/import-model.js'
import { describeModel } from '../../src/yolo/model-description.js'
import { writeOrAddSection } from '../helpers/generated-page.js'
import { graphRunner } from '../../src/cli/compress/graph-runner.js'
import { machineTarget } from '../../src/cli/compress/machine-target.js'
import { imagesIn } from '../helpers/calibration-images.js'
import { projectRoot, shared } from '../helpers/paths.js'
import { type Accuracy, differenceTo, ValidationPictures } from '../helpers/validation.js'

interface AccuracyRow {
  readonly pictures: number
  readonly map: number
  readonly map50: number
  /** 95 % interval of the difference of mAP50-95 to float. */
  readonly low: number
  readonly high: number
}

interface SpeedRow {
  readonly model: string
  readonly ms: number
  readonly ratio: number
  readonly from: number
  readonly to: number
}

interface Rows {
  /** That the rows were measured on. */
  machine?: string
  float?: AccuracyRow
  readonly methods: Record<string, AccuracyRow>
  readonly bits: Record<string, AccuracyRow>
  readonly peers: Record<string, AccuracyRow>
  readonly speed: Record<string, readonly SpeedRow[]>
}

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'methods,bits,speed,peers' },
    target: { type: 'string' },
    part: { type: 'string' },
    keep: { type: 'string' },
    peer: { type: 'string', multiple: true, default: [] },
    pictures: { type: 'string', default: '250' },
    'bit-pictures': { type: 'string', default: '100' },
    rounds: { type: 'string', default: '40' },
    methods: { type: 'string', default: calibrationMethods.join() },
    bits: { type: 'string', default: '8,7,6,5,4,3' },
  },
})
const document = join(projectRoot, 'test', 'bench', 'quantization.md')
const target = int8Target(values.target ?? (await machineTarget()))
const part = values.part ?? target.name
const keep = values.keep ?? join(tmpdir(), 'yolo-edge-bench-quantization', target.name)
mkdirSync(keep, { recursive: true })
const rowsFile = join(keep, 'rows.json')
const rows: Rows = existsSync(rowsFile)
  ? (JSON.parse(readFileSync(rowsFile, 'utf8')) as Rows)
  : { methods: {}, bits: {}, peers: {}, speed: {} }
rows.machine ??= `${cpus()[0]!.model}, ${cpus().length} threads, Node ${process.version}`
const sections = values.only.split(',')
const floatBytes = readFileSync(shared('models', 'yolov8n.onnx'))
const edge = toEdgeForm(importModel(floatBytes))
const images = imagesIn(shared('coco', 'calib', 'images'))
const peerFiles = [
  ...readdirSync(shared('models', 'peers'))
    .filter((name) => name.endsWith('.onnx'))
    .sort()
    .map((name) => shared('models', 'peers', name)),
  ...values.peer,
]
const setCalibration = once(() =>
  calibrate(edge, { target, method: 'silu', biasCorrection: true }, graphRunner(), images),
)
const setMoments = once(() =>
  collectInputMoments(
    { graph: edge, runner: graphRunner(), samples: samplesOf(edge, images) },
    { factor: 4, seed: 1, interest: undefined },
  ),
)

if (sections.includes('methods')) await measureMethods()
if (sections.includes('bits')) await measureBits()
if (sections.includes('peers')) await measurePeers()
if (sections.includes('speed')) await measureSpeeds()
await writeTables()

async function measureMethods(): Promise<void> {
  const { accuracyRow, float } = validation(Number(values.pictures))
  rows.float ??= await accuracyRow(floatBytes)
  for (const method of values.methods.split(',')) {
    if (rows.methods[method] !== undefined) continue
    rows.methods[method] = await accuracyRow(
      exportModel(int8Of(await setCalibration(), method)),
      await float(),
    )
    await save(`methods: ${method}`)
  }
}

function int8Of(calibration: Calibration, name: string): Graph {
  const method = calibrationMethods.find((known) => known === name)
  if (method === undefined) throw new TypeError(`${name} is no calibration method`)
  return quantize(edge, calibration, { target, method, biasCorrection: true }).graph
}

async function measureBits(): Promise<void> {
  const { accuracyRow, float } = validation(Number(values['bit-pictures']))
  rows.bits['float'] ??= await accuracyRow(floatBytes)
  for (const bits of values.bits.split(',').map(Number)) {
    for (const scheme of weightSchemes) {
      for (const rounding of ['nearest', 'compensated'] as const) {
        const key = `${bits} ${scheme} ${rounding}`
        if (rows.bits[key] !== undefined) continue
        const moments: InputMoments | undefined = rounding === 'nearest' ? undefined : await setMoments()
        const graph = roundWeights(edge, bits, scheme, moments)
        rows.bits[key] = await accuracyRow(exportModel(graph), await float())
        await save(`bits: ${key}`)
      }
    }
  }
}

async function measurePeers(): Promise<void> {
  const { accuracyRow, float } = validation(Number(values.pictures))
  for (const path of peerFiles) {
    const name = basename(path, '.onnx')
    rows.peers[name] ??= await accuracyRow(readFileSync(path), await float())
    await save(`peers: ${name}`)
  }
}

/** Frame in, boxes out, on pictures with objects; every model in turns with the float export. */
async function measureSpeeds(): Promise<void> {
  const int8 = exportModel(int8Of(await setCalibration(), 'silu'))
  const named: (readonly [name: string, bytes: Uint8Array])[] = [
    ['float export', floatBytes],
    ['float edge form', exportModel(edge)],
    ['int8', int8],
    ...peerFiles.map((path) => [basename(path, '.onnx'), readFileSync(path)] as const),
  ]
  const settings = [
    { name: '2 threads', intraOpThreads: 2, sessions: 1 },
    { name: '1 thread', intraOpThreads: 1, sessions: 1 },
    { name: 'two sessions of one thread', intraOpThreads: 1, sessions: 2 },
  ]
  const pictures = await listImages(shared('coco', 'val', 'images'))
  for (const { name, intraOpThreads, sessions } of settings) {
    if (rows.speed[name] !== undefined) continue
    const models = named.map(([, bytes]) => ({ bytes, description: describeModel(importModel(bytes)) }))
    const measured = await measureSpeed(models, {
      rounds: Number(values.rounds),
      sessions,
      framesPerTurn: 2,
      session: { intraOpThreads, allowSpinning: false },
      framesOf: pictureFrames(pictures),
      onProgress: () => undefined,
      clock: systemClock,
    })
    rows.speed[name] = measured.map(({ perFrameMs, ratios }, index) => ({
      model: named[index]![0],
      ms: quantileOf(perFrameMs, 0.5),
      ratio: quantileOf(ratios, 0.5),
      from: quantileOf(ratios, 0.25),
      to: quantileOf(ratios, 0.75),
    }))
    await save(`speed: ${name}`)
  }
}

interface Measuring {
  readonly accuracyRow: (bytes: Uint8Array, reference?: Accuracy) => Promise<AccuracyRow>
  /** The accuracy of the float export on the same pictures. */
  readonly float: () => Promise<Accuracy>
}

function validation(pictures: number): Measuring {
  const reader = new ValidationPictures(pictures)
  const float = once(() => reader.accuracyOf(floatBytes))
  return {
    float,
    accuracyRow: async (bytes, reference) => {
      const accuracy = reference === undefined ? await float() : await reader.accuracyOf(bytes)
      const { low, high } = differenceTo(reference ?? accuracy, accuracy)
      return { pictures: accuracy.matches.length, map: accuracy.map, map50: accuracy.map50, low, high }
    },
  }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => (made ??= make())
}

async function save(what: string): Promise<void> {
  console.log(what)
  writeFileSync(rowsFile, JSON.stringify(rows, undefined, 1))
  await writeTables()
}

async function writeTables(): Promise<void> {
  await writeOrAddSection(document, { name: part, title: `Target \`${part}\`` }, tables())
}

function tables(): string {
  const speeds = Object.entries(rows.speed)
  const part = (title: string, lines: readonly string[], rowCount: number): string[] =>
    rowCount === 0 ? [] : ['', `### ${title}`, '', ...lines]
  const { float, methods, bits, peers } = rows
  return [
    `Machine: ${rows.machine}.`,
    ...part(
      'Calibration methods',
      [accuracyTable('method', [['float export', float], ...Object.entries(methods)], float)],
      Object.keys(methods).length,
    ),
    ...part(
      'Bits of a weight',
      [
        'Weights rounded by channel, activations in float.\n',
        accuracyTable('bits, scheme, rounding', Object.entries(bits), bits['float']),
      ],
      Object.keys(bits).length,
    ),
    ...part(
      'Other int8 files',
      [accuracyTable('file', Object.entries(peers), float)],
      Object.keys(peers).length,
    ),
    ...part(
      'Speed',
      [
        'Milliseconds a frame (median), from a uint8 frame (pictures with objects, in turns) to boxes, and how many times as fast as the float export: ' +
          'the median of interleaved rounds, with the middle half of them.',
        ...speeds.flatMap(([name, list]) => [`\n#### ${name}\n`, speedTable(list)]),
      ],
      speeds.length,
    ),
  ].join('\n')
}

function accuracyTable(
  head: string,
  list: readonly (readonly [string, AccuracyRow | undefined])[],
  float: AccuracyRow | undefined,
): string {
  const points = (value: number): string => (100 * value).toFixed(2)
  const lines = list.flatMap(([name, row]) => {
    if (row === undefined || float === undefined) return []
    const interval = `${points(row.low)} to ${points(row.high)}`
    const differences = `${points(row.map - float.map)} | ${interval} | ${points(row.map50 - float.map50)}`
    return [`| ${name} | ${points(row.map)} | ${points(row.map50)} | ${differences} | ${row.pictures} |`]
  })
  return [
    `| ${head} | mAP50-95 | mAP50 | mAP50-95 against float | 95 % interval | mAP50 against float | pictures |`,
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n')
}

function speedTable(list: readonly SpeedRow[]): string {
  return [
    '| model | ms | times the float export | middle half |',
    '| --- | --- | --- | --- |',
    ...list.map(
      ({ model, ms, ratio, from, to }) =>
        `| ${model} | ${ms.toFixed(1)} | ${ratio.toFixed(2)} | ${from.toFixed(2)} to ${to.toFixed(2)} |`,
    ),
  ].join('\n')
}
