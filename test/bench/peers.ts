/**
 * Our int8 model beside other runtimes, frame by frame in turns: stock and fused operators, an earlier build, OpenVINO with an NNCF
 * int8 model and in float, MNN. From a uint8 frame to boxes, each with its own preprocessing and postprocessing.
 *
 *     npm run bench -- peers --int8 yolov8n-int8-x64-vnni-640.onnx [--model yolov8n.onnx] [--rounds 20] [--threads 1,2]
 *         [--before CHECKOUT] [--folder FOLDER] [--features MASK]
 *
 * The peers are installed into FOLDER (Python needed; ours runs without). CHECKOUT is a compiled checkout of an earlier commit.
 * Pictures of coco/val, one full of objects among them, and noise. Fails when fused and stock detections differ in anything.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { seededRandom } from '../../src/base/random.js'
import { readLetterboxed } from '../../src/camera/read-image.js'
import { importModel } from '../../src/onnx/import-model.js'
import { type Detector, type DetectorFrame, openDetector } from '../../src/runtime/detector.js'
import { predictionOptions, validationOptions } from '../../src/yolo/detection.js'
import { letterbox } from '../../src/yolo/letterbox.js'
import { describeModel } from '../../src/yolo/model-description.js'
import { watchForeignLoad } from '../helpers/foreign-load.js'
import { projectRoot, shared } from '../helpers/paths.js'

const { values } = parseArgs({
  options: {
    int8: { type: 'string' },
    model: { type: 'string', default: shared('models', 'yolov8n.onnx') },
    rounds: { type: 'string', default: '20' },
    threads: { type: 'string', default: '1,2' },
    before: { type: 'string' },
    folder: { type: 'string', default: join(tmpdir(), 'yolo-edge-peers') },
    features: { type: 'string', default: '-1' },
    spin: { type: 'boolean', default: false },
    ours: { type: 'boolean', default: false },
  },
})
if (values.int8 === undefined) throw new TypeError('give our int8 model: --int8 FILE')
const path = resolve(values.int8)
const rounds = Number(values.rounds)
const description = describeModel(importModel(readFileSync(path)))
const size = { width: description.inputWidth, height: description.inputHeight }
const frameBytes = size.width * size.height * 3

/** Who takes part: detects on frame `index`, and says how long it took and what it found. */
interface Contestant {
  readonly name: string
  detect(index: number): Promise<{ readonly ms: number; readonly cpuMs?: number; readonly found: string }>
  close(): Promise<void>
}

const pictures = readdirSync(shared('coco', 'val', 'images')).sort()
const shown = pictures.filter((_, at) => at % 25 === 0)
const frames = [
  ...(await Promise.all(shown.map((name) => frameOf(shared('coco', 'val', 'images', name))))),
  noise(),
]

async function frameOf(file: string): Promise<DetectorFrame> {
  const read = await readLetterboxed(readFileSync(file), size)
  const pixels = new SharedArrayBuffer(frameBytes)
  new Uint8Array(pixels).set(read.pixels)
  return { pixels, byteOffset: 0, letterbox: read.letterbox }
}

function noise(): DetectorFrame {
  const pixels = new SharedArrayBuffer(frameBytes)
  const random = seededRandom(1)
  new Uint8Array(pixels).forEach((_, at, bytes) => (bytes[at] = random.integer(256)))
  return { pixels, byteOffset: 0, letterbox: letterbox(size, size) }
}

type OpenDetector = typeof openDetector

/** Ours, in this process: its worker computes, this thread waits. */
async function ours(
  name: string,
  open: OpenDetector,
  options: Parameters<OpenDetector>[1],
): Promise<Contestant> {
  const detector: Detector = await open({ path, description }, { warmUpRuns: 3, niceness: 0, ...options })
  let spentMs = (await detector.cpuMs?.()) ?? 0
  return {
    name,
    async detect(index) {
      const start = performance.now()
      const { detections } = await detector.detect(frames[index % frames.length]!, predictionOptions)
      const ms = performance.now() - start
      const before = spentMs
      spentMs = (await detector.cpuMs?.()) ?? 0
      return { ms, cpuMs: spentMs - before, found: JSON.stringify(detections) }
    },
    close: () => detector.close(),
  }
}

/** A process that serves frames by number; undefined where its software does not install or start. */
async function peer(kind: string, threads: number): Promise<Contestant | undefined> {
  const child: ChildProcess = spawn(
    join(values.folder, 'venv', 'bin', 'python'),
    [
      join(projectRoot, 'test', 'bench', 'peers', 'serve.py'),
      kind,
      join(values.folder, 'frames.bin'),
      String(size.width),
      String(threads),
      resolve(values.model),
      join(values.folder, 'calibration.bin'),
    ],
    { stdio: ['pipe', 'pipe', 'ignore'], env: { ...process.env, OMP_NUM_THREADS: String(threads) } },
  )
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const line = (await lines.next()) as IteratorResult<string, undefined>
    return line.value ?? 'absent: it ended'
  }
  const first = await next()
  if (first.startsWith('absent')) {
    console.log(`${kind} is ${first}`)
    child.kill()
    return undefined
  }
  return {
    name: `${first} ${kind.endsWith('int8') ? 'int8 (NNCF)' : 'float'}`,
    async detect(index) {
      child.stdin!.write(`${index % frames.length}\n`)
      const [ms = 'NaN', found = ''] = (await next()).split(' ')
      return { ms: Number(ms), found }
    },
    close: () => {
      child.stdin!.end()
      return new Promise((settle) => {
        child.once('exit', () => {
          settle()
        })
      })
    },
  }
}

function installPeers(): void {
  mkdirSync(values.folder, { recursive: true })
  const python = join(values.folder, 'venv', 'bin', 'python')
  if (!existsSync(python)) {
    execFileSync('python3', ['-m', 'venv', join(values.folder, 'venv')], { stdio: 'inherit' })
    for (const name of ['openvino nncf', 'MNN'])
      execFileSync(python, ['-m', 'pip', 'install', '--quiet', ...name.split(' ')], { stdio: 'inherit' })
  }
  writeFileSync(
    join(values.folder, 'frames.bin'),
    Buffer.concat(frames.map(({ pixels }) => new Uint8Array(pixels))),
  )
}

async function writeCalibration(): Promise<void> {
  const file = join(values.folder, 'calibration.bin')
  if (existsSync(file)) return
  const names = readdirSync(shared('coco', 'calib', 'images'))
    .sort()
    .slice(0, 128)
  const read = await Promise.all(names.map((name) => frameOf(shared('coco', 'calib', 'images', name))))
  writeFileSync(file, Buffer.concat(read.map(({ pixels }) => new Uint8Array(pixels))))
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!
}

async function contest(threads: number): Promise<void> {
  const options = { intraOpThreads: threads, allowSpinning: values.spin }
  const contestants: (Contestant | undefined)[] = [
    await ours('ours, fused', openDetector, { ...options, operatorFeatures: Number(values.features) }),
    await ours('ours, stock', openDetector, { ...options, operators: 'stock' }),
  ]
  if (values.before !== undefined) {
    const file = join(resolve(values.before), 'dist', 'src', 'runtime', 'detector.js')
    const before = (await import(pathToFileURL(file).href)) as { readonly openDetector: OpenDetector }
    contestants.push(await ours('ours, the earlier build', before.openDetector, options))
  }
  if (!values.ours)
    for (const kind of ['openvino-int8', 'openvino-float', 'mnn']) contestants.push(await peer(kind, threads))
  const all = contestants.filter((each) => each !== undefined)
  const results = new Map(all.map(({ name }) => [name, { ms: [] as number[], cpuMs: [] as number[] }]))
  const load = watchForeignLoad()
  let differences = 0
  for (let round = 0; round < rounds; round++) {
    const found = new Map<string, string>()
    for (let turn = 0; turn < all.length; turn++) {
      const each = all[(turn + round) % all.length]!
      const answer = await each.detect(round)
      results.get(each.name)!.ms.push(answer.ms)
      if (answer.cpuMs !== undefined) results.get(each.name)!.cpuMs.push(answer.cpuMs)
      found.set(each.name, answer.found)
    }
    if (found.get('ours, fused') !== found.get('ours, stock')) differences++
  }
  const share = load()
  for (const each of all) await each.close()
  const fused = results.get('ours, fused')!
  console.log(`\n${threads} thread${threads === 1 ? '' : 's'}, medians of ${rounds} rounds in turns:`)
  for (const [name, { ms, cpuMs }] of results) {
    const ratio = median(ms.map((value, round) => value / fused.ms[round]!))
    const cpu = cpuMs.length === 0 ? '' : `, ${median(cpuMs).toFixed(1)} ms of a processor`
    console.log(
      `  ${name.padEnd(28)} ${median(ms).toFixed(1).padStart(7)} ms, ${ratio.toFixed(2)} x the fused time${cpu}`,
    )
  }
  console.log(`  others used ${(share * 100).toFixed(0)} % of the machine`)
  if (differences > 0) {
    console.error(`fused and stock detections differ in ${differences} of ${rounds} frames`)
    process.exitCode = 1
  }
}

/** Fused against stock on every picture of coco/val, at the lowest threshold. */
async function requireSameBoxes(): Promise<void> {
  const [fused, stock] = await Promise.all([
    openDetector({ path, description }, { operatorFeatures: Number(values.features) }),
    openDetector({ path, description }, { operators: 'stock' }),
  ])
  let [boxes, differences] = [0, 0]
  for (const name of pictures) {
    const frame = await frameOf(shared('coco', 'val', 'images', name))
    const [left, right] = [
      await fused.detect(frame, validationOptions),
      await stock.detect(frame, validationOptions),
    ]
    boxes += left.detections.length
    if (JSON.stringify(left.detections) !== JSON.stringify(right.detections)) differences++
  }
  console.log(
    `${JSON.stringify(fused.info.operators)}: ${boxes} boxes in ${pictures.length} pictures, pictures that differ from stock: ${differences}`,
  )
  await Promise.all([fused.close(), stock.close()])
  if (differences > 0) process.exitCode = 1
}

console.log(`${cpus()[0]!.model}, ${cpus().length} processors, ${size.width}x${size.height}`)
await requireSameBoxes()
if (!values.ours) {
  installPeers()
  await writeCalibration()
}
for (const threads of values.threads.split(',').map(Number)) await contest(threads)
