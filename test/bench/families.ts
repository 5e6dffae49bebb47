/**
 * Which commands work on which family of detectors: each is run on each export, and what it wrote is run on a picture.
 *
 *     npm run bench -- families --python PYTHON     makes the exports, and puts the table into config/compress/README.md
 *     npm run bench -- families --exports FOLDER    the same of a folder that test/bench/peers/export_families.py has filled
 *
 * PYTHON has ultralytics, onnx and onnxslim.
 */

import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { writeOrAddSection } from '../helpers/generated-page.js'
import { projectRoot, shared } from '../helpers/paths.js'

const { values } = parseArgs({
  options: { exports: { type: 'string' }, python: { type: 'string' } },
})
const scratch = mkdtempSync(join(tmpdir(), 'yolo-edge-families-'))
const program = join(projectRoot, 'dist', 'src', 'cli', 'main.js')
const pictureCount = 8
const exportsFolder = values.exports ?? join(scratch, 'exports')

/** What a command needs beside the model, and the file that it writes, by name of a column. */
const columns: Readonly<
  Record<string, (model: string, out: string) => { readonly args: readonly string[]; readonly made?: string }>
> = {
  inspect: (model) => ({ args: ['inspect', model] }),
  detect: (model) => ({ args: ['detect', picture(), '--model', model] }),
  'compress --int8': (model, out) => ({
    args: ['compress', model, '--int8', ...calibration(), '--out', out],
    made: out,
  }),
  'compress --prune': (model, out) => ({
    args: ['compress', model, '--prune', 'macs=0.97', '--schedule', 'global', ...calibration(), '--out', out],
    made: out,
  }),
  finetune: (model, out) => ({
    args: ['finetune', model, data(), ...steps, '--out', `${out}.onnx`],
    made: `${out}.onnx`,
  }),
  distil: (model, out) => ({
    args: ['distil', model, data(), ...steps, '--teacher', model, '--out', `${out}.onnx`],
    made: `${out}.onnx`,
  }),
  qat: (model, out) => ({
    args: ['qat', model, data(), ...steps, '--out', `${out}.onnx`],
    made: `${out}.onnx`,
  }),
}
const steps = ['--epochs', '0.5', '--batch', '2', '--threads', '2']
const reasons: string[] = []
/** How long the slowest refusal took, and `inspect` at the most, which does nothing but read the file. */
let [slowestRefusal, slowestReading] = [0, 0]

try {
  if (values.exports === undefined) makeExports()
  copyPictures()
  const models = readdirSync(exportsFolder)
    .filter((name) => name.endsWith('.onnx'))
    .sort()
  const rows = models.map((name) => rowOf(name))
  const text = [
    `Exports of Ultralytics with random weights, as \`test/bench/peers/export_families.py\` makes them; \`npm run bench -- families --python PYTHON\` writes this table. \`works\`: the command ended well, and what it wrote is served by \`detect\`. A number: it refuses, with the sentence below. The slowest refusal took ${seconds(slowestRefusal)}; starting the program and reading a file (\`inspect\`) takes up to ${seconds(slowestReading)} beside the same load.`,
    [
      `| export | ${Object.keys(columns).join(' | ')} |`,
      `|${' --- |'.repeat(1 + Object.keys(columns).length)}`,
      ...rows,
    ].join('\n'),
    reasons.map((reason, index) => `${index + 1}. ${reason}`).join('\n'),
    'How far an int8 model of a family with attention (YOLO11, YOLO12) agrees with its float one is not told here: there are only random weights of them, whose boxes mean nothing.',
  ].join('\n\n')
  console.log(text)
  await writeOrAddSection(
    join(projectRoot, 'config', 'compress', 'README.md'),
    { name: 'families', title: 'Families of detectors' },
    text,
  )
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

function rowOf(name: string): string {
  const stem = basename(name, '.onnx')
  const cells = Object.entries(columns).map(([column, commandOf]) => {
    const out = join(scratch, `${stem}-${column.replaceAll(/\W+/g, '-')}`)
    const { args, made } = commandOf(join(exportsFolder, name), out)
    const startMs = performance.now()
    const refused = run(args)
    const tookMs = performance.now() - startMs
    if (refused !== undefined) slowestRefusal = Math.max(slowestRefusal, tookMs)
    if (column === 'inspect') slowestReading = Math.max(slowestReading, tookMs)
    const refusal =
      refused ?? (made === undefined ? undefined : run(['detect', picture(), '--model', modelAt(made)]))
    console.error(`${stem} ${column}: ${refusal ?? 'works'}`)
    if (refusal === undefined) return 'works'
    const sentence = refusal.replaceAll(`${join(exportsFolder, name)}: `, '')
    if (!reasons.includes(sentence)) reasons.push(sentence)
    return String(reasons.indexOf(sentence) + 1)
  })
  return `| ${[stem, ...cells].join(' | ')} |`
}

function makeExports(): void {
  if (values.python === undefined) throw new Error('expected --python PYTHON or --exports FOLDER')
  const script = join(projectRoot, 'test', 'bench', 'peers', 'export_families.py')
  const { status } = spawnSync(values.python, [script, exportsFolder], {
    stdio: ['ignore', 'inherit', 'inherit'],
    cwd: scratch,
  })
  if (status !== 0) throw new Error(`${script} ended with status ${status}`)
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

/** The sentence of the error that ends the command; undefined where it ends well. */
function run(args: readonly string[]): string | undefined {
  const { status, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' })
  if (status === 0) return undefined
  const lines = stderr.split('\n')
  const at = lines.findIndex((line) => line.startsWith('yolo-edge: '))
  const hint = lines.find((line) => line.startsWith('hint: '))
  return `${lines[at]?.slice('yolo-edge: '.length) ?? `exit status ${status}`}${hint === undefined ? '' : ` (${hint})`}`
}

function modelAt(made: string): string {
  if (made.endsWith('.onnx')) return made
  return join(
    made,
    readdirSync(made).find((name) => name.endsWith('.onnx'))!,
  )
}

function copyPictures(): void {
  for (const kind of ['images', 'labels']) {
    mkdirSync(join(scratch, 'data', kind), { recursive: true })
    const names = readdirSync(shared('coco', 'calib', kind))
      .sort()
      .slice(0, pictureCount)
    for (const name of names) copyFileSync(shared('coco', 'calib', kind, name), join(data(), kind, name))
  }
}

function data(): string {
  return join(scratch, 'data')
}

function calibration(): readonly string[] {
  return ['--calib', join(data(), 'images'), '--images', String(pictureCount)]
}

function picture(): string {
  return shared('images', 'bus.jpg')
}
