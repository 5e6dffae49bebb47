/**
 * What pruned models of the reference model get back by least squares, by distillation, by both, and by fine-tuning on few labels.
 * Run: npm run bench -- distillation --out FOLDER [--macs 0.9,0.8,0.7] [--epochs 2] [--tune-epochs 2] [--batch 4] [--rate 0.0002] [--threads 2]
 *      [--images 48] [--pictures 250] [--write]
 * Learning is done by the commands as a user types them; distillation learns from coco/unlabelled, fine-tuning from coco/calib, and what is
 * measured with was seen by neither. All models share one measurement of the layers' sensitivity. Steps whose model FOLDER holds are not taken again, so the table may be made in parts.
 * --write puts it into test/bench/distillation.md.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { graphRunner } from '../../src/cli/compress/graph-runner.js'
import { toEdgeForm } from '../../src/compress/edge-form.js'
import { prune } from '../../src/compress/pruning/prune.js'
import { exportModel } from '../../src/onnx/export-model.js'
import { importModel } from '../../src/onnx/import-model.js'
import { imagesIn } from '../helpers/calibration-images.js'
import { writePage } from '../helpers/generated-page.js'
import { keepSensitivity, measurementsFrom } from '../helpers/kept-sensitivity.js'
import { projectRoot, shared } from '../helpers/paths.js'
import { type Accuracy, differenceTo, ValidationPictures } from '../helpers/validation.js'

interface Row {
  readonly model: string
  readonly map: number
  readonly map50: number
  readonly low: number
  readonly high: number
  /** Of all commands that led to it. */
  readonly minutes: number
}

const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    macs: { type: 'string', default: '0.8,0.9,0.7' },
    epochs: { type: 'string', default: '2' },
    'tune-epochs': { type: 'string', default: '2' },
    batch: { type: 'string', default: '4' },
    rate: { type: 'string', default: '0.0002' },
    threads: { type: 'string', default: '2' },
    images: { type: 'string', default: '48' },
    pictures: { type: 'string', default: '250' },
    write: { type: 'boolean', default: false },
  },
})
if (values.out === undefined) throw new TypeError('give the folder of the models: --out FOLDER')
const folder = values.out
mkdirSync(folder, { recursive: true })
const float = shared('models', 'yolov8n.onnx')
const pictures = shared('coco', 'unlabelled')
const labelled = shared('coco', 'calib')
const rowsFile = join(folder, 'rows.json')
const rows = new Map<string, Row>(
  existsSync(rowsFile) ? (JSON.parse(readFileSync(rowsFile, 'utf8')) as [string, Row][]) : [],
)
const validation = new ValidationPictures(Number(values.pictures))
let reference: Accuracy | undefined

const edge = toEdgeForm(importModel(readFileSync(float)))
const sensitivityFile = join(folder, 'sensitivity.json')
const ports = {
  runner: graphRunner(),
  images: imagesIn(pictures, Number(values.images)),
  measured: measurementsFrom(sensitivityFile),
}

const restorations = ['nothing', 'least squares', 'distil', 'both', 'both, then labels'] as const
await measured('float export', float, 0)
for (const macs of values.macs.split(',')) {
  const cut = await pruned(Number(macs), 'none')
  const fitted = await pruned(Number(macs), 'lsq')
  await measured(`${macs} nothing`, cut.path, cut.minutes)
  await measured(`${macs} least squares`, fitted.path, fitted.minutes)
  const learnt = distilled(cut)
  await measured(`${macs} distil`, learnt.path, learnt.minutes)
  const both = distilled(fitted)
  await measured(`${macs} both`, both.path, both.minutes)
  const tuned = refined('finetune', both, labelled, values['tune-epochs'])
  await measured(`${macs} both, then labels`, tuned.path, tuned.minutes)
}

interface Step {
  readonly path: string
  readonly minutes: number
}

async function pruned(macs: number, restore: 'none' | 'lsq'): Promise<Step> {
  const path = join(folder, `${restore}-${macs}.onnx`)
  const known = minutesOf(path)
  if (known !== undefined) return { path, minutes: known }
  const start = performance.now()
  // In one round the same channels go whatever restores.
  const { graph } = await prune(edge, { macs, restore, rounds: 1 }, ports)
  keepSensitivity(sensitivityFile, ports.measured)
  writeFileSync(path, exportModel(graph))
  return { path, minutes: keepMinutes(path, start) }
}

function distilled(start: Step): Step {
  return refined('distil', start, pictures, values.epochs)
}

function refined(command: string, start: Step, data: string, epochs: string): Step {
  const path = start.path.replace('.onnx', `-${command}.onnx`)
  const minutes = taken(path, [
    ...[command, start.path, data, '-o', path, '--teacher', float, '--epochs', epochs],
    ...['--batch', values.batch, '--rate', values.rate, '--threads', values.threads],
  ])
  return { path, minutes: start.minutes + minutes }
}

/** Runs a command that writes `path`, unless it is there, and tells how long that took. */
function taken(path: string, given: readonly string[]): number {
  const known = minutesOf(path)
  if (known !== undefined) return known
  console.log(`yolo-edge ${given.join(' ')}`)
  const start = performance.now()
  const program = join(projectRoot, 'dist', 'src', 'cli', 'main.js')
  const { status } = spawnSync(process.execPath, [program, ...given], { stdio: 'inherit' })
  if (status !== 0) throw new TypeError(`${given[0]!} ended with ${status}`)
  return keepMinutes(path, start)
}

/** What making `path` took, where it was made already. */
function minutesOf(path: string): number | undefined {
  const note = `${path}.minutes`
  return existsSync(note) ? Number(readFileSync(note, 'utf8')) : undefined
}

function keepMinutes(path: string, start: number): number {
  const minutes = (performance.now() - start) / 60_000
  writeFileSync(`${path}.minutes`, String(minutes))
  return minutes
}

async function measured(model: string, path: string, minutes: number): Promise<void> {
  if (rows.has(model)) return
  reference ??= await validation.accuracyOf(readFileSync(float))
  const accuracy = await validation.accuracyOf(readFileSync(path))
  const { low, high } = differenceTo(reference, accuracy)
  rows.set(model, { model, map: accuracy.map, map50: accuracy.map50, low, high, minutes })
  writeFileSync(rowsFile, JSON.stringify([...rows], undefined, 1))
  console.log(model, accuracy.map.toFixed(4))
  await writePage(join(folder, 'distillation.md'), page())
  if (values.write) await writePage(join(projectRoot, 'test', 'bench', 'distillation.md'), page())
}

function page(): string {
  const whole = rows.get('float export')!.map
  const lines = values.macs
    .split(',')
    .toSorted()
    .toReversed()
    .map((macs) => {
      const cells = restorations.map((restoration) => {
        const row = rows.get(`${macs} ${restoration}`)
        if (row === undefined) return ''
        const part = `${((100 * row.map) / whole).toFixed(1)} %`
        const interval = `${(100 * row.low).toFixed(1)} .. ${(100 * row.high).toFixed(1)}`
        return `${(100 * row.map).toFixed(2)}, ${part} (${interval}), ${row.minutes.toFixed(0)} min`
      })
      return `| ${macs} | ${cells.join(' | ')} |`
    })
  return [
    '# Restoration after pruning, measured',
    'Written by `npm run bench -- distillation --out FOLDER --write`: YOLOv8n at 640 with part of its multiply-accumulates, ' +
      `mAP50-95 on ${values.pictures} pictures of COCO val2017 (float export ${(100 * whole).toFixed(2)}), its share of float, the 95 % interval ` +
      'of the difference in points, and the minutes of all commands on this machine.',
    `Least squares on ${values.images} pictures; distillation on 400 others without labels for ${values.epochs} epochs, heads and neck of the float ` +
      `export as teacher; labels: ${values['tune-epochs']} epochs more on coco128 with the same teacher. Batches of ${values.batch}, rate ${values.rate}, ${values.threads} threads.`,
    [
      '| MACs | ' + restorations.join(' | ') + ' |',
      `|${' --- |'.repeat(restorations.length + 1)}`,
      ...lines,
    ].join('\n'),
    `Machine: ${cpus()[0]!.model}, ${cpus().length} threads, Node ${process.version}.`,
  ].join('\n\n')
}
