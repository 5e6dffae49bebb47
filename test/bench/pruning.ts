/**
 * What each pruning criterion costs and gives, on the reference model: a row for each criterion, part of the MACs and way of
 * restoring; with the milliseconds of the float model, taken in turns with those of the unpruned one. `none`, `bias` and `lsq` (least
 * squares) cut the same channels at once; `rounds` is least squares in as many rounds as a plan has by default.
 * Run: node dist/test/bench/pruning.js --out FOLDER [--criteria l1,random] [--macs 0.9,0.8] [--restore none,bias,lsq,rounds]
 *      [--seeds 1,2,3] [--images 64] [--pictures 250] [--int8] [--page FILE]
 * The control is drawn once for each of --seeds: one draw may be lucky.
 * All models are in edge form. With --int8 a row with least squares is quantised too, after pruning.
 * Rows are kept in FOLDER/rows.json, or beside the page as .json; those that it holds already are not measured again, so the table may
 * be made in parts.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import { parseArgs } from 'node:util'
import { readLetterboxed } from '../../src/camera/read-image.js'
import { gradientSource } from '../../src/cli/compress/gradient-source.js'
import type { CalibrationImages } from '../../src/compress/ports.js'
import { criterionNames } from '../../src/compress/pruning/criteria/criterion.js'
import { toEdgeForm } from '../../src/compress/edge-form.js'
import { calibrate, quantize } from '../../src/compress/quantization/quantize.js'
import { int8Target } from '../../src/compress/quantization/targets.js'
import { prune } from '../../src/compress/pruning/prune.js'
import { parsePrunePlan, type PrunePlanInput, roundsOf } from '../../src/compress/pruning/prune-plan.js'
import { exportModel } from '../../src/onnx/export-model.js'
import type { Graph } from '../../src/onnx/graph.js'
import { importModel } from '../../src/onnx/import-model.js'
import { writePage } from '../helpers/generated-page.js'
import { graphRunner } from '../../src/cli/compress/graph-runner.js'
import { machineTarget } from '../../src/cli/compress/machine-target.js'
import { keepSensitivity, measurementsFrom } from '../helpers/kept-sensitivity.js'
import { shared } from '../helpers/paths.js'
import { ratioInTurns, type SpeedComparison } from '../helpers/ratio-in-turns.js'
import { type Accuracy, differenceTo, ValidationPictures } from '../helpers/validation.js'

interface Row {
  readonly criterion: string
  /** Of the control's further draws. */
  readonly seed?: number
  readonly restore: string
  readonly macs: number
  readonly macsKept: number
  readonly parameters: number
  readonly bytes: number
  /** Of what is cut at once: the same for each way of restoring it. */
  readonly speed?: SpeedComparison
  readonly map: number
  readonly map50: number
  /** Difference of mAP to the unpruned model with its 95 % interval. */
  readonly difference: { readonly low: number; readonly high: number }
  readonly seconds: number
  readonly int8?: Int8Row
}

/** The same model on 8-bit integers. */
interface Int8Row {
  readonly speed: SpeedComparison
  readonly bytes: number
  readonly brotliBytes: number
  readonly map: number
}

const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    criteria: { type: 'string', default: criterionNames.join() },
    macs: { type: 'string', default: '0.8,0.9,0.7,0.5' },
    restore: { type: 'string', default: 'none,bias,lsq,rounds' },
    schedule: { type: 'string', default: 'sensitivity' },
    seeds: { type: 'string', default: '1,2,3' },
    images: { type: 'string', default: '64' },
    int8: { type: 'boolean', default: false },
    pictures: { type: 'string', default: '250' },
    page: { type: 'string' },
  },
})
if (values.out === undefined) throw new TypeError('give the folder of the report: --out FOLDER')
const folder = values.out
mkdirSync(folder, { recursive: true })
const rowsFile = values.page?.replace(/\.md$/, '.json') ?? join(folder, 'rows.json')
const sensitivityFile = join(folder, 'sensitivity.json')
const rows = (readJson(rowsFile) ?? []) as Row[]
const graph = toEdgeForm(importModel(readFileSync(shared('models', 'yolov8n.onnx'))))
const original = exportModel(graph)
const validation = new ValidationPictures(Number(values.pictures))
const runner = graphRunner()
const images = calibrationImages(Number(values.images))
const ports = { runner, images, gradients: gradientSource(runner, images, () => undefined) }
const measured = measurementsFrom(sensitivityFile)
const target = int8Target(await machineTarget())
const referenceFile = join(folder, 'reference.json')
let reference: Accuracy | undefined
let unpruned = readJson(referenceFile) as number | undefined
let unprunedInt8: Graph | undefined
const defaultCriterion = parsePrunePlan({ macs: 1 }).criterion

const restorations = new Map([
  ['none', 'none'],
  ['bias', 'bias correction'],
  ['lsq', 'least squares'],
  ['rounds', 'least squares, in rounds'],
])

const [firstSeed, ...furtherSeeds] = values.seeds.split(',').map(Number)
for (const macs of values.macs.split(',').map(Number)) {
  for (const criterion of values.criteria.split(',')) {
    for (const seed of [undefined, ...(criterion === 'random' ? furtherSeeds : [])])
      for (const restore of values.restore.split(',')) await addRow({ macs, criterion, seed, restore })
  }
}
await writePages()

interface Cell {
  readonly macs: number
  readonly criterion: string
  /** The first seed unless given. */
  readonly seed: number | undefined
  readonly restore: string
}

async function addRow({ macs, criterion, seed, restore }: Cell): Promise<void> {
  const same = rows.filter((row) => row.macs === macs && row.criterion === criterion)
  if (same.some((row) => row.seed === seed && row.restore === restore)) return
  const start = performance.now()
  const plan = planOf({ macs, criterion, seed, restore })
  // One round is what the row of least squares is about.
  if (restore === 'rounds' && roundsOf(parsePrunePlan(plan)) === 1) return
  const { graph: pruned, report } = await prune(graph, plan, { ...ports, measured })
  const seconds = Math.round((performance.now() - start) / 1000)
  keepSensitivity(sensitivityFile, measured)
  const bytes = exportModel(pruned)
  const atOnce = restore !== 'rounds'
  const known = same.find((row) => row.speed !== undefined)?.speed
  const speed = atOnce ? (known ?? (await speedOf(pruned))) : undefined
  reference ??= await validation.accuracyOf(original)
  unpruned = reference.map
  writeFileSync(referenceFile, JSON.stringify(unpruned))
  const accuracy = await validation.accuracyOf(bytes)
  const { low, high } = differenceTo(reference, accuracy)
  const row: Row = {
    criterion,
    ...(seed === undefined ? {} : { seed }),
    restore,
    macs,
    macsKept: report.after.macs / report.before.macs,
    parameters: report.after.parameters,
    bytes: bytes.length,
    ...(speed === undefined ? {} : { speed }),
    map: accuracy.map,
    map50: accuracy.map50,
    difference: { low, high },
    seconds,
    ...(values.int8 && restore === 'lsq' && seed === undefined ? { int8: await int8Of(pruned) } : {}),
  }
  rows.push(row)
  writeFileSync(rowsFile, `${JSON.stringify(rows, undefined, 2)}\n`)
  await writePages()
  console.log(JSON.stringify(row))
}

function planOf({ macs, criterion, seed, restore }: Cell): PrunePlanInput {
  const method = {
    restore: restore === 'rounds' ? 'lsq' : restore,
    ...(restore === 'rounds' ? {} : { rounds: 1 }),
  }
  const choice = { criterion, seed: seed ?? firstSeed }
  return { macs, ...choice, ...method, schedule: values.schedule } as PrunePlanInput
}

async function int8Of(pruned: Graph): Promise<Int8Row> {
  unprunedInt8 ??= await quantized(graph)
  const model = await quantized(pruned)
  const speed = await ratioInTurns(unprunedInt8, model, { rounds: 30, intraOpThreads: 1 })
  const bytes = exportModel(model)
  return {
    speed,
    bytes: bytes.length,
    brotliBytes: brotliCompressSync(bytes).length,
    map: (await validation.accuracyOf(bytes)).map,
  }
}

async function quantized(float: Graph): Promise<Graph> {
  const options = { target, method: 'silu', rounding: 'nearest', biasCorrection: true } as const
  const observations = await calibrate(float, options, ports.runner, ports.images)
  return quantize(float, observations, options).graph
}

async function writePages(): Promise<void> {
  for (const path of [join(folder, 'pruning.md'), ...(values.page === undefined ? [] : [values.page])])
    await writePage(path, markdown(rows))
}

function speedOf(pruned: Graph): Promise<SpeedComparison> {
  return ratioInTurns(graph, pruned, { rounds: 30, intraOpThreads: 1 })
}

function speedText({ leftMs, rightMs, speedUp }: SpeedComparison): string {
  return `${rightMs.toFixed(1)} (${leftMs.toFixed(1)}), x${speedUp.toFixed(2)}`
}

function calibrationImages(limit: number): CalibrationImages {
  const folders = [shared('coco', 'calib', 'images'), shared('coco', 'unlabelled')]
  const paths = folders
    .flatMap((name) =>
      readdirSync(name)
        .sort()
        .map((file) => join(name, file)),
    )
    .filter((path) => path.endsWith('.jpg'))
    .slice(0, limit)
  return {
    count: paths.length,
    read: async (index, size) => (await readLetterboxed(paths[index]!, size)).pixels,
  }
}

function readJson(path: string): unknown {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
}

function markdown(list: readonly Row[]): string {
  const groups = new Map<string, Row[]>()
  for (const row of list) {
    const key = `${1 - row.macs} ${criterionNames.indexOf(row.criterion as (typeof criterionNames)[number])}`
    groups.set(key, [...(groups.get(key) ?? []), row])
  }
  const lines = [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => lineOf(group))
  const float = `${exportModel(graph).length} bytes${unpruned === undefined ? '' : `, mAP ${unpruned.toFixed(4)}`}`
  return (
    [
      '# Pruning, measured',
      `Written by \`npm run bench:pruning -- --out FOLDER\`: YOLOv8n at 640 (edge form, ${float}), mAP50-95 on ${values.pictures} ` +
        `pictures with the 95 % interval of the difference to the unpruned model in brackets, ${values.images} calibration pictures.`,
      `A row is what \`compress --prune macs=M --criterion C --schedule ${values.schedule}\` does: the criterion says which channels of a ` +
        `layer go first, and cutting each layer in that order says how many. Under *in rounds* they go in rounds of three tenths of the MACs at most, before that at once. The control, random, is drawn with seeds ${values.seeds}, or the first of them, as the last table says: of several draws its mAP is the mean, with their range in brackets; the rest of its row is of the first. ` +
        'Milliseconds are those of one thread, the unpruned model in brackets, both taken in turns; the factor is the median over pairs.',
      [
        '| MACs | criterion | parameters | bytes | float ms | int8 ms | int8 bytes, packed | mAP | bias correction | least squares | and int8 | in rounds |',
        `|${' --- |'.repeat(12)}`,
        ...lines,
      ].join('\n'),
      'Against the control: mAP by what the channels were chosen by. Random is the mean of its draws, and the number of criteria above it is told.',
      [
        '| MACs | restoration | random, draws | mean of the criteria | default criterion | above random |',
        `|${' --- |'.repeat(6)}`,
        ...againstControl(list),
      ].join('\n'),
      `Integers are those of target ${target.name}, rounded to the nearest. Machine: ${cpus()[0]!.model}, ${cpus().length} threads, Node ${process.version}.`,
    ].join('\n\n') + '\n'
  )
}

function lineOf(group: readonly Row[]): string {
  const row = group[0]!
  const int8 = group.find((entry) => entry.int8 !== undefined)?.int8
  const map = (restore: string): string => {
    const draws = group.filter((entry) => entry.restore === restore)
    if (draws[0] === undefined) return ''
    const maps = draws.map((draw) => draw.map)
    const { low, high } = draws[0].difference
    const [from, to] = draws.length > 1 ? [Math.min(...maps), Math.max(...maps)] : [low, high]
    return `${meanMap(draws).toFixed(4)} (${from.toFixed(3)} .. ${to.toFixed(3)})`
  }
  const cells = [
    row.macsKept.toFixed(3),
    row.criterion,
    row.parameters,
    row.bytes,
    row.speed === undefined ? '' : speedText(row.speed),
    int8 === undefined ? '' : speedText(int8.speed),
    int8 === undefined ? '' : `${int8.bytes}, ${int8.brotliBytes}`,
    map('none'),
    map('bias'),
    map('lsq'),
    int8?.map.toFixed(4) ?? '',
    map('rounds'),
  ]
  return `| ${cells.join(' | ')} |`
}

/** Lines that compare the criteria with the control, where both were measured. */
function againstControl(list: readonly Row[]): readonly string[] {
  const budgets = [...new Set(list.map(({ macs }) => macs))].sort((a, b) => b - a)
  return budgets.flatMap((macs) =>
    [...restorations].flatMap(([restore, text]) => {
      const same = list.filter((row) => row.macs === macs && row.restore === restore)
      const random = same.filter(({ criterion }) => criterion === 'random')
      const others = same.filter(({ criterion }) => criterion !== 'random')
      if (random.length === 0 || others.length === 0) return []
      const control = meanMap(random)
      const standard = others.find(({ criterion }) => criterion === defaultCriterion)
      const above = others.filter(({ map }) => map > control).length
      const cells = [
        `${control.toFixed(4)}, ${random.length}`,
        meanMap(others).toFixed(4),
        standard?.map.toFixed(4) ?? '',
      ]
      return [`| ${[macs, text, ...cells, `${above} of ${others.length}`].join(' | ')} |`]
    }),
  )
}

function meanMap(list: readonly Row[]): number {
  return list.reduce((sum, { map }) => sum + map, 0) / list.length
}
