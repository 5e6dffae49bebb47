/**
 * One update and one detection by the agent's arm64 packages under qemu-user; the boxes are compared with those of x86-64.
 * Exit status 1 when they differ by more than half a pixel. Takes minutes and fetches packages on its first run.
 *
 *     npm run test:arm64 [folder] [model.onnx] [picture]
 */

import type { ChildProcess } from 'node:child_process'
import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { systemClock } from '../../src/base/clock.js'
import { silentLogger } from '../../src/base/logger.js'
import { type FrameDetections, parseDetections } from '../../src/protocol/detections.js'
import { parseDeployment } from '../../src/protocol/deployment.js'
import { type DeviceInfo, parseInfo } from '../../src/protocol/info.js'
import { parseReported, type RunningModel } from '../../src/protocol/reported.js'
import { type Report, parseReport } from '../../src/protocol/report.js'
import { topicsBelow } from '../../src/protocol/topics.js'
import { EmbeddedBroker } from '../../src/transport/embedded-broker.js'
import { MqttConnection } from '../../src/transport/mqtt-connection.js'
import { projectRoot, shared } from '../helpers/paths.js'
import { missingTools, prepareMachine } from './machine.js'

const toleranceX = 0.5
const limitMs = 30 * 60_000
const board = 'pi-5'
const device = 'arm64-board'
const [
  folder = join(tmpdir(), 'yolo-edge-arm64'),
  model = shared('models', 'yolov8n.onnx'),
  picture = shared('images', 'bus.jpg'),
] = process.argv.slice(2)

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** What the fleet hears of the device. */
interface Heard {
  info?: DeviceInfo
  active?: RunningModel
  trial?: Report
  detections?: FrameDetections
  /** Why the update came to nothing. */
  refusal?: string
}

interface Box {
  readonly name: string
  readonly box: { readonly x1: number; readonly y1: number; readonly x2: number; readonly y2: number }
}

function detectHere(): readonly Box[] {
  const program = join(projectRoot, 'dist', 'src', 'cli', 'main.js')
  const text = execFileSync(process.execPath, [program, 'detect', picture, '-m', model, '--json'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return (JSON.parse(text) as { pictures: { detections: Box[] }[] }).pictures[0]!.detections
}

async function updateThere(): Promise<Heard> {
  const machine = prepareMachine(folder, board)
  say(`${machine.node}, with the processor of ${board}`)
  const work = mkdtempSync(join(tmpdir(), 'yolo-edge-arm64-run-'))
  const broker = new EmbeddedBroker()
  await broker.start()
  const connection = new MqttConnection({ url: broker.url, clientId: 'observer' }, { logger: silentLogger })
  await connection.start()
  const heard: Heard = {}
  listen(connection, heard)
  const settings = [
    `device.id=${device}`,
    `broker.url=${broker.url}`,
    `state.directory=${join(work, 'state')}`,
    'security.allow_unsigned=true',
    'selection.trial_runs=5',
    'selection.trial_stall_s=1500',
    'acceptance.soak_s=0',
    `cameras=front=${picture}#loop=true`,
  ].flatMap((setting) => ['--set', setting])
  const agent = machine.start(['run', ...settings])
  const words = lastWordsOf(agent)
  try {
    await publish(broker.url)
    const startMs = systemClock.monotonicMs()
    while (heard.detections === undefined || heard.active === undefined) {
      await systemClock.sleep(200)
      if (agent.exitCode !== null || systemClock.monotonicMs() - startMs > limitMs)
        throw new Error(`no detection from the emulated board: ${words()}`)
      if (heard.refusal !== undefined) throw new Error(`the emulated board refused: ${heard.refusal}`)
    }
    return heard
  } finally {
    agent.kill('SIGTERM')
    await connection.stop()
    await broker.stop()
    if (agent.exitCode === null) await new Promise((resolve) => agent.once('exit', resolve))
    rmSync(work, { recursive: true, force: true })
  }
}

function listen(connection: MqttConnection, heard: Heard): void {
  const topics = topicsBelow('yolo-edge/v2')
  connection.subscribe([topics.deviceState(device, 'info')], 1, ({ payload }) => {
    heard.info = parseInfo(payload)
  })
  connection.subscribe([topics.deviceState(device, 'reported')], 1, ({ payload }) => {
    const { active } = parseReported(payload)
    if (active !== undefined) heard.active = active
  })
  connection.subscribe([topics.deviceState(device, 'deployment')], 1, ({ payload }) => {
    const { error } = parseDeployment(payload)
    if (error !== undefined) heard.refusal = `${error.code}: ${error.message}`
  })
  connection.subscribe([topics.deviceState(device, 'report')], 1, ({ payload }) => {
    const report = parseReport(payload)
    if (report.kind === 'trial') heard.trial = report
  })
  connection.subscribe([topics.detections(device, 'front')], 0, ({ payload }) => {
    heard.detections ??= parseDetections(payload)
  })
}

/** Not synchronously: the broker lives in this process. */
async function publish(url: string): Promise<void> {
  const program = join(projectRoot, 'dist', 'src', 'cli', 'main.js')
  await promisify(execFile)(process.execPath, [program, 'publish', model, '--unsigned', '--broker', url])
}

function lastWordsOf(child: ChildProcess): () => string {
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (part: string) => (text = (text + part).slice(-2000)))
  return () => text
}

/** The largest distance of a coordinate between boxes of the same place in both lists, pixels. */
function compare(here: readonly Box[], there: FrameDetections): number {
  const found = there.detections
  if (here.length !== found.length) return Number.POSITIVE_INFINITY
  const distances = here.map(({ box }) =>
    Math.min(
      ...found.map(({ x1, y1, x2, y2 }) =>
        Math.max(...[x1 - box.x1, y1 - box.y1, x2 - box.x2, y2 - box.y2].map(Math.abs)),
      ),
    ),
  )
  return Math.max(...distances)
}

const missing = missingTools()
if (missing === undefined) {
  mkdirSync(folder, { recursive: true })
  const here = detectHere()
  const { info, active, trial, detections } = await updateThere()
  say(`${info?.arch}: ${info?.cpuModel}, ${info?.cpuFeatures.join(' ')}`)
  say(`serves ${active?.model} ${active?.version}, variant ${active?.variant}, on ${active?.provider}`)
  for (const { variant, latency } of trial?.trials ?? [])
    say(`trial of ${variant}: p95 ${((latency?.p95Ms ?? 0) / 1000).toFixed(1)} s under emulation`)
  const distance = compare(here, detections!)
  say(
    `${here.length} boxes on x86-64, ${detections!.detections.length} on arm64, largest distance ${distance.toFixed(3)} px`,
  )
  process.exitCode = distance <= toleranceX ? 0 : 1
} else {
  say(`not run: ${missing}`)
  process.exitCode = 77
}
