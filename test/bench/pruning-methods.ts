/**
 * What each method of compression by channels and weights does to the reference model, as its command does it.
 * Run: node dist/test/bench/pruning-methods.js --out FOLDER [--pictures 250] [--images 32] [--minutes 600] [--write]
 * Each command runs as a user types it; rows that FOLDER/methods.json holds already are not measured again, and after --minutes no
 * further one is begun: its cell stays empty.
 * --write puts the tables into config/compress/README.md, between its marks.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { brotliCompressSync, constants } from 'node:zlib'
import { toEdgeForm } from '../../src/compress/edge-form.js'
import { exportModel } from '../../src/onnx/export-model.js'
import { importModel } from '../../src/onnx/import-model.js'
import { type Method, type MethodGroup, methodGroups } from '../helpers/compression-methods.js'
import { writeSection } from '../helpers/generated-page.js'
import { projectRoot, shared } from '../helpers/paths.js'
import { ValidationPictures } from '../helpers/validation.js'

interface Effect {
  readonly macsKept: number
  /** Part of the weights of convolutions that is zero. */
  readonly zeros: number
  readonly bytes: number
  readonly brotliBytes: number
  readonly map: number
}

const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    images: { type: 'string', default: '32' },
    pictures: { type: 'string', default: '250' },
    minutes: { type: 'string', default: '600' },
    write: { type: 'boolean', default: false },
  },
})
if (values.out === undefined) throw new TypeError('give the folder of the rows: --out FOLDER')
const folder = values.out
mkdirSync(folder, { recursive: true })
const rowsFile = join(folder, 'methods.json')
const effects = new Map(
  existsSync(rowsFile) ? (JSON.parse(readFileSync(rowsFile, 'utf8')) as [string, Effect][]) : [],
)
const model = shared('models', 'yolov8n.onnx')
const validation = new ValidationPictures(Number(values.pictures))

const unchanged = exportModel(toEdgeForm(importModel(readFileSync(model))))
const reference = effects.get('') ?? (await effectOf(unchanged, 1, 0))
keep('', reference)
for (const group of methodGroups) {
  for (const method of group.methods) {
    const command = commandOf(group, method)
    if (effects.has(command) || performance.now() > 60_000 * Number(values.minutes)) continue
    const effect = await measure(command)
    keep(command, effect)
    console.log(command, JSON.stringify(effect))
  }
}
const text = markdown()
writeFileSync(join(folder, 'methods.md'), text)
if (values.write) await writeSection(join(projectRoot, 'config', 'compress', 'README.md'), 'methods', text)

function keep(command: string, effect: Effect): void {
  effects.set(command, effect)
  writeFileSync(rowsFile, JSON.stringify([...effects], undefined, 1))
}

function commandOf({ measuredWith }: MethodGroup, { command }: Method): string {
  return measuredWith === undefined ? command : `${command} ${withoutRepeats(measuredWith, command)}`.trim()
}

/** `added` without options that `command` has itself. */
function withoutRepeats(added: string, command: string): string {
  return added
    .split(/ (?=--)/)
    .filter((option) => !command.includes(`${option.split(' ', 1)[0]!} `))
    .join(' ')
}

async function measure(command: string): Promise<Effect> {
  const out = join(folder, 'model')
  rmSync(out, { recursive: true, force: true })
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      join(projectRoot, 'dist', 'src', 'cli', 'main.js'),
      ...['compress', model, '--out', out, '--json', '--images', values.images],
      ...['--calib', shared('coco', 'unlabelled')],
      ...command.replace('PLAN', join(projectRoot, 'config', 'compress')).split(' '),
    ],
    { encoding: 'utf8', maxBuffer: 2 ** 28 },
  )
  if (status !== 0) throw new TypeError(`compress ${command}: ${stderr}`)
  const report = JSON.parse(stdout) as {
    readonly path: string
    readonly steps: { readonly prune?: { macs_kept: number }; readonly sparse?: { sparsity: number } }
  }
  const { prune, sparse } = report.steps
  return effectOf(readFileSync(report.path), prune?.macs_kept ?? 1, sparse?.sparsity ?? 0)
}

async function effectOf(bytes: Uint8Array, macsKept: number, zeros: number): Promise<Effect> {
  const { map } = await validation.accuracyOf(bytes)
  return {
    macsKept,
    zeros,
    bytes: bytes.byteLength,
    // As a bundle packs a large model.
    brotliBytes: brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }).byteLength,
    map,
  }
}

function markdown(): string {
  const sections = methodGroups.map((group) => {
    const measured =
      group.measuredWith === undefined ? '' : `\nMeasured with \`${group.measuredWith}\` as well.\n`
    const rows = group.methods.map((method) => {
      const { name, command, tests } = method
      const files = tests.map((file) => `\`${file}\``).join(', ')
      return `| ${name} | \`${command.replace('PLAN', 'config/compress')}\` | ${files} | ${effectText(effects.get(commandOf(group, method)))} |`
    })
    return [
      `### ${group.title}`,
      measured,
      '| method | command | tested in `test/` | effect |',
      '| --- | --- | --- | --- |',
      ...rows,
    ].join('\n')
  })
  const head =
    `Effects on YOLOv8n at 640 in float (${mega(reference.bytes)} MB, ${mega(reference.brotliBytes)} MB packed, ` +
    `mAP50-95 ${reference.map.toFixed(4)} on ${values.pictures} pictures), calibrated with ${values.images} others: ` +
    'part of the multiply-accumulates that stays, part of the weights that is zero, packed size, mAP50-95.'
  return [head, ...sections].join('\n\n')
}

function effectText(effect: Effect | undefined): string {
  if (effect === undefined) return ''
  const { macsKept, zeros, brotliBytes, map } = effect
  const parts = [
    ...(macsKept < 1 ? [`${(100 * macsKept).toFixed(0)} % MACs`] : []),
    ...(zeros > 0 ? [`${(100 * zeros).toFixed(0)} % zero`] : []),
    `${mega(brotliBytes)} MB`,
    `mAP ${map.toFixed(4)}`,
  ]
  return parts.join(', ')
}

function mega(bytes: number): string {
  return (bytes / 1e6).toFixed(2)
}
