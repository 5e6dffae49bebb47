/**
 * Which commands work on which family of detectors: each is run on each export, and what it wrote is run on a picture.
 * Run: npm run bench -- families --exports FOLDER [--write]
 * `test/bench/peers/export_families.py` makes the folder. --write puts the table into config/compress/README.md, between its marks.
 */

import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { writeSection } from '../helpers/generated-page.js'
import { projectRoot, shared } from '../helpers/paths.js'

const { values } = parseArgs({
  options: { exports: { type: 'string' }, write: { type: 'boolean', default: false } },
})
if (values.exports === undefined) throw new Error('expected --exports FOLDER')
const exportsFolder = values.exports
const scratch = mkdtempSync(join(tmpdir(), 'yolo-edge-families-'))
const program = join(projectRoot, 'dist', 'src', 'cli', 'main.js')
const pictureCount = 8

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

try {
  copyPictures()
  const models = readdirSync(exportsFolder)
    .filter((name) => name.endsWith('.onnx'))
    .sort()
  const rows = models.map((name) => rowOf(name))
  const text = [
    `Exports of Ultralytics with random weights, as \`test/bench/peers/export_families.py\` makes them. \`works\`: the command ended well, and what it wrote finds boxes in a picture as any other model does. A number: it refuses at once, with the sentence below.`,
    [
      `| export | ${Object.keys(columns).join(' | ')} |`,
      `|${' --- |'.repeat(1 + Object.keys(columns).length)}`,
      ...rows,
    ].join('\n'),
    reasons.map((reason, index) => `${index + 1}. ${reason}`).join('\n'),
  ].join('\n\n')
  console.log(text)
  if (values.write) await writeSection(join(projectRoot, 'config', 'compress', 'README.md'), 'families', text)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

function rowOf(name: string): string {
  const stem = basename(name, '.onnx')
  const cells = Object.entries(columns).map(([column, commandOf]) => {
    const out = join(scratch, `${stem}-${column.replaceAll(/\W+/g, '-')}`)
    const { args, made } = commandOf(join(exportsFolder, name), out)
    const refusal =
      run(args) ?? (made === undefined ? undefined : run(['detect', picture(), '--model', modelAt(made)]))
    console.error(`${stem} ${column}: ${refusal ?? 'works'}`)
    if (refusal === undefined) return 'works'
    const sentence = refusal.replaceAll(`${join(exportsFolder, name)}: `, '')
    if (!reasons.includes(sentence)) reasons.push(sentence)
    return String(reasons.indexOf(sentence) + 1)
  })
  return `| ${[stem, ...cells].join(' | ')} |`
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
