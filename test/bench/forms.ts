/**
 * Forms of exports: which are served and which refused, and the boxes of those that are served beside those of Ultralytics.
 *
 *     npm run bench -- forms --python PYTHON            makes every form, and writes the table to test/bench/forms.md
 *     npm run bench -- forms --folder FOLDER            the same of a folder that test/bench/peers/export_forms.py has filled
 *
 * PYTHON has ultralytics, onnx, onnxruntime and onnxslim. Ends with status 1 where a box differs.
 */

import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { boxIou } from '../../src/yolo/boxes.js'
import { writePage } from '../helpers/generated-page.js'
import { projectRoot, shared } from '../helpers/paths.js'

const { values } = parseArgs({ options: { python: { type: 'string' }, folder: { type: 'string' } } })
const program = join(projectRoot, 'dist', 'src', 'cli', 'main.js')
const conf = 0.25
const overlapMin = 0.99
const scoreDifferenceMax = 0.001
/** Forms whose input takes any size and that tell none: what a user types. */
const sizes: Readonly<Record<string, string>> = { 'dynamic-nometa': '640' }

interface Box {
  readonly x1: number
  readonly y1: number
  readonly x2: number
  readonly y2: number
  readonly score: number
  readonly classIndex: number
}

interface Form {
  /** The form with which Ultralytics was asked: this one, or the export from which it was made. */
  readonly by: string
  /** Rows x1, y1, x2, y2, score, class of each picture; null where Ultralytics finds no boxes with it. */
  readonly reference:
    readonly (readonly (readonly [number, number, number, number, number, number])[])[] | null
}

interface Agreement {
  /** Boxes here and there, and those without a partner of their class whose score is no tie with the threshold. */
  readonly found: number
  readonly expected: number
  readonly lonely: number
  readonly overlap: number
  readonly scoreDifference: number
}

const scratch = mkdtempSync(join(tmpdir(), 'yolo-edge-forms-'))
try {
  const pictures = copyPictures()
  const folder = values.folder === undefined ? makeForms(pictures) : resolve(values.folder)
  const forms = JSON.parse(readFileSync(join(folder, 'forms.json'), 'utf8')) as Readonly<Record<string, Form>>
  const reasons: string[] = []
  let differing = 0
  const rows = Object.entries(forms).map(([name, form]) => {
    const answer = detect(fileOf(folder, name), pictures, sizes[name])
    if (typeof answer === 'string') {
      if (!reasons.includes(answer)) reasons.push(answer)
      return row(name, `refused: ${reasons.indexOf(answer) + 1}`)
    }
    if (form.reference === null) return row(name, 'served')
    const agreement = agreementOf(answer, form.reference)
    if (!isEqual(agreement)) differing++
    return row(name, isEqual(agreement) ? 'served' : 'served, **differs**', agreement)
  })
  const page = pageOf(rows, reasons)
  console.log(page)
  await writePage(join(projectRoot, 'test', 'bench', 'forms.md'), page)
  process.exitCode = differing === 0 ? 0 : 1
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

/** Two photographs of Ultralytics and two of COCO, in a folder; sorted by name. */
function copyPictures(): readonly string[] {
  const folder = join(scratch, 'pictures')
  mkdirSync(folder)
  const coco = readdirSync(shared('coco', 'val', 'images'))
    .sort()
    .slice(0, 2)
  for (const path of [
    ...['bus.jpg', 'zidane.jpg'].map((name) => shared('images', name)),
    ...coco.map((name) => shared('coco', 'val', 'images', name)),
  ]) {
    copyFileSync(path, join(folder, basename(path)))
  }
  return readdirSync(folder)
    .sort()
    .map((name) => join(folder, name))
}

function makeForms(pictures: readonly string[]): string {
  if (values.python === undefined) throw new Error('expected --python PYTHON or --folder FOLDER')
  const folder = join(scratch, 'forms')
  const script = join(projectRoot, 'test', 'bench', 'peers', 'export_forms.py')
  const given = [
    '--weights',
    shared('models', 'yolov8n.onnx'),
    '--make-forms',
    shared('cases', 'make_forms.py'),
  ]
  const { status } = spawnSync(values.python, [script, folder, ...given, ...pictures], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (status !== 0) throw new Error(`${script} ended with status ${status}`)
  return folder
}

/** A form that keeps its weights in a file of their own lies in a folder of its own. */
function fileOf(folder: string, name: string): string {
  const own = join(folder, name)
  return existsSync(own)
    ? join(
        own,
        readdirSync(own).find((file) => file.endsWith('.onnx'))!,
      )
    : `${own}.onnx`
}

/** What `detect` finds in each picture, or the sentence with which it refuses the model. */
function detect(
  model: string,
  pictures: readonly string[],
  size: string | undefined,
): readonly (readonly Box[])[] | string {
  const args = ['detect', join(scratch, 'pictures'), '--model', model, '--conf', String(conf), '--json']
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [program, ...args, ...(size === undefined ? [] : ['--size', size])],
    { encoding: 'utf8', maxBuffer: 2 ** 28 },
  )
  if (status !== 0) return refusalIn(stderr, model)
  const answer = JSON.parse(stdout) as {
    pictures: readonly {
      file: string
      detections: readonly { class: number; confidence: number; box: Omit<Box, 'score' | 'classIndex'> }[]
    }[]
  }
  return pictures.map((path) =>
    answer.pictures
      .find(({ file }) => file === path)!
      .detections.map(({ box, confidence, class: classIndex }) => ({
        ...box,
        score: confidence,
        classIndex,
      })),
  )
}

function refusalIn(stderr: string, model: string): string {
  const lines = stderr.split('\n')
  const said = lines.find((line) => line.startsWith('yolo-edge: '))
  if (said === undefined) throw new Error(`${model} was not refused in a sentence:\n${stderr}`)
  const hint = lines.find((line) => line.startsWith('hint: '))
  return `${said.slice('yolo-edge: '.length).replace(`${model}: `, '')}${hint === undefined ? '' : ` (${hint})`}`
}

function agreementOf(
  answer: readonly (readonly Box[])[],
  reference: NonNullable<Form['reference']>,
): Agreement {
  let [found, expected, lonely, overlap, scoreDifference] = [0, 0, 0, 1, 0]
  for (const [picture, boxes] of answer.entries()) {
    const left = new Set(boxes)
    const wanted = reference[picture]!.map(([x1, y1, x2, y2, score, classIndex]): Box => {
      return { x1, y1, x2, y2, score, classIndex }
    })
    found += boxes.length
    expected += wanted.length
    for (const box of wanted) {
      const partner = partnerOf(box, left)
      if (partner === undefined) {
        if (!isAtThreshold(box)) lonely++
        continue
      }
      left.delete(partner)
      overlap = Math.min(overlap, overlapOf(box, partner))
      scoreDifference = Math.max(scoreDifference, Math.abs(box.score - partner.score))
    }
    lonely += [...left].filter((box) => !isAtThreshold(box)).length
  }
  return { found, expected, lonely, overlap, scoreDifference }
}

/** The box of the same class that overlaps most, by half at least. */
function partnerOf(box: Box, others: ReadonlySet<Box>): Box | undefined {
  let best: Box | undefined
  let most = 0.5
  for (const other of others) {
    const overlap = other.classIndex === box.classIndex ? overlapOf(box, other) : 0
    if (overlap > most) [best, most] = [other, overlap]
  }
  return best
}

/** Intersection over union; of boxes without area, as random weights give them, whether their corners are the same to a hundredth of a pixel. */
function overlapOf(a: Box, b: Box): number {
  const isFlat = [a, b].every(({ x1, y1, x2, y2 }) => x2 <= x1 || y2 <= y1)
  if (!isFlat) return boxIou(a, b)
  return (['x1', 'y1', 'x2', 'y2'] as const).every((side) => Math.abs(a[side] - b[side]) < 0.01) ? 1 : 0
}

/** Whether rounding decides on which side of the threshold a box lies. */
function isAtThreshold({ score }: Box): boolean {
  return score - conf < scoreDifferenceMax
}

function isEqual({ lonely, overlap, scoreDifference }: Agreement): boolean {
  return lonely === 0 && overlap > overlapMin && scoreDifference < scoreDifferenceMax
}

function row(name: string, verdict: string, agreement?: Agreement): string {
  const figures =
    agreement === undefined
      ? ['', '', '', '']
      : [
          `${agreement.found} / ${agreement.expected}`,
          String(agreement.lonely),
          agreement.overlap.toFixed(5),
          agreement.scoreDifference.toExponential(0),
        ]
  return `| ${[name, verdict, ...figures].join(' | ')} |`
}

function pageOf(rows: readonly string[], reasons: readonly string[]): string {
  return [
    '# Forms of exports',
    '',
    `Written by \`npm run bench -- forms --python PYTHON\`. Each form of an export is run by \`detect\` on four pictures and by Ultralytics 8.4.190 with the same thresholds (${conf}, overlap 0.7); boxes are paired by class and overlap. Equal means that every pair overlaps by more than ${overlapMin}, that scores differ by less than ${scoreDifferenceMax}, and that no box is without a partner. YOLOv8n has its real weights (640x640 where the name says nothing else); YOLO26, YOLOv10 and the other families have random ones, with scores spread so that many boxes come out. \`made-\` are the forms that other tools leave, compared with the export they were made from. Operator sets 21 and 22 are converted from 20, the newest that the exporter writes. What Ultralytics computes from half floats at the end of a graph it computes in half floats, in steps of half a pixel, so that \`half-ends\` is compared with \`half\`, the same weights with floats at the ends.`,
    '',
    '| form | verdict | boxes here / Ultralytics | without partner | smallest overlap | largest score difference |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    'Refused at once, with these sentences:',
    '',
    ...reasons.map((reason, index) => `${index + 1}. ${reason}`),
    '',
  ].join('\n')
}
