/**
 * An agent at full speed for a long time, with an update every minute and a fault every ten seconds: are frames lost, do files
 * stay open, does the process grow?
 *
 *     npm run bench -- endurance [--minutes N] [--faults-only NAME,...] [--update-s S] [--fault-s S]
 *
 * The agent is a process of its own, in the environment of the installed service; its resident memory and its open files are
 * read from outside. Fails when a frame is unaccounted for, when files stay open, when it grows by more than 1 MB an hour after
 * the first quarter, or when it dies.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../../src/base/clock.js'
import { seededRandom } from '../../src/base/random.js'
import { type Metrics, parseMetrics } from '../../src/protocol/metrics.js'
import { AgentLab, labDevice, labModel } from '../helpers/agent-lab.js'
import { projectRoot } from '../helpers/paths.js'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    'update-s': { type: 'string', default: '60' },
    'fault-s': { type: 'string', default: '10' },
    'faults-only': { type: 'string', default: '' },
    /** An inspector for the agent, such as `--inspect=0`. */
    'node-arg': { type: 'string', default: '' },
  },
})
const minutes = Number(values.minutes)
const updateMs = Number(values['update-s']) * 1000
const faultMs = Number(values['fault-s']) * 1000
const samplePeriodMs = 5000
/** Slots of a frame ring, which may hold frames at the moment of a sample. */
const frameSlots = 8
const growthMaxMbPerHour = 1
const models = [labModel, join(projectRoot, 'models', 'parts', 'parts-int8.onnx')]

interface Sample {
  readonly minute: number
  readonly residentMb: number
  readonly openFiles: number
}

const random = seededRandom(1)
const lab = await AgentLab.start({
  source: 'synthetic#fps=240',
  settings: { 'acceptance.soak_s': 5, 'acceptance.soak_window_s': 5 },
})
let metrics: Metrics | undefined
lab.viewer.subscribe([lab.topics.deviceState(labDevice, 'metrics')], 0, ({ payload }) => {
  metrics = parseMetrics(payload)
})

const child = startAgentProcess()
const ended = new Promise<string>((resolve) => {
  child.once('exit', (status, signal) => {
    resolve(`the agent ended with ${signal ?? `status ${status}`}`)
  })
})

/** What the installed service is started with. */
function serviceEnvironment(): NodeJS.ProcessEnv {
  const unit = readFileSync(join(projectRoot, 'systemd', 'yolo-edge.service'), 'utf8')
  return Object.fromEntries(
    [...unit.matchAll(/^Environment=([A-Z_]+)=(.*)$/gm)].map(([, name = '', value]) => [name, value]),
  )
}

function startAgentProcess(): ChildProcess {
  const main = join(projectRoot, 'dist', 'src', 'cli', 'main.js')
  const flags = values['node-arg'] === '' ? [] : [values['node-arg']]
  return spawn(process.execPath, [...flags, main, ...lab.runArguments], {
    env: { ...process.env, ...serviceEnvironment() },
    stdio: ['ignore', 'ignore', process.env['ENDURANCE_LOG'] === undefined ? 'ignore' : 'inherit'],
  })
}

/** The faults, in turn. Each is over at once, or the agent puts it right. */
const faults: Readonly<Record<string, () => Promise<void> | void>> = {
  'connections cut': () => {
    lab.broker?.disconnectAll()
  },
  'a rotten file': () => {
    const folder = join(lab.stateFolder, 'blobs')
    const names = readdirSync(folder)
    const name = names[random.integer(Math.max(1, names.length))]
    // What went bad before may not be there again yet.
    if (name === undefined) return
    const path = join(folder, name)
    const bytes = readFileSync(path)
    bytes[random.integer(bytes.length)]! ^= 1
    writeFileSync(path, bytes)
  },
  'a wish that nobody signed': () =>
    publish(lab.topics.deviceDesired(labDevice), Buffer.from('{"payload":1}')),
  'a large message': () => publish(lab.topics.command(labDevice, 'deployments'), Buffer.alloc(900_000, '[')),
  'a version that is not there': () => lab.wish('0.0.9'),
  'a rotten record': () => {
    const path = join(lab.stateFolder, 'state', random.integer(2) === 0 ? 'slots.a' : 'journal.b')
    writeFileSync(path, readFileSync(path).subarray(0, 40))
  },
}

async function publish(topic: string, payload: Uint8Array): Promise<void> {
  await lab.viewer.publish(topic, payload, { qos: 1, retain: false })
}

function sampleNow(minute: number): Sample | undefined {
  try {
    const status = readFileSync(`/proc/${child.pid!}/status`, 'utf8')
    const kilobytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1])
    return {
      minute,
      residentMb: kilobytes / 1000,
      openFiles: readdirSync(`/proc/${child.pid!}/fd`).length,
    }
  } catch {
    // The process is gone; `ended` tells how.
    return undefined
  }
}

/** Slope of `value` over the minutes of `samples` by least squares, an hour. */
function slopePerHour(samples: readonly Sample[], value: (sample: Sample) => number): number {
  const mean = (of: (sample: Sample) => number): number =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length
  const meanX = mean(({ minute }) => minute)
  const meanY = mean(value)
  const covariance = mean((sample) => (sample.minute - meanX) * (value(sample) - meanY))
  return (covariance / mean(({ minute }) => (minute - meanX) ** 2)) * 60
}

let version = 0
async function update(): Promise<void> {
  version++
  const name = `1.0.${version}`
  await lab.publish(name, [models[version % 2]!])
  await lab.wish(name)
}

await update()
await lab.untilServing('1.0.1', 180_000)
const startMs = systemClock.monotonicMs()
const names = values['faults-only'] === '' ? Object.keys(faults) : values['faults-only'].split(',')
const samples: Sample[] = []
const unaccounted: string[] = []
let faultCount = 0
let nextUpdateMs = updateMs
let nextFaultMs = faultMs
let nextSampleMs = 0
let death: string | undefined
void ended.then((how) => (death = how))
for (;;) {
  const nowMs = systemClock.monotonicMs() - startMs
  if (death !== undefined || nowMs > minutes * 60_000) break
  if (nowMs >= nextUpdateMs) {
    nextUpdateMs += updateMs
    await update()
  }
  if (nowMs >= nextFaultMs && names[0] !== 'none') {
    nextFaultMs += faultMs
    await faults[names[faultCount++ % names.length]!]!()
  }
  if (nowMs >= nextSampleMs) {
    nextSampleMs += samplePeriodMs
    const sample = sampleNow(nowMs / 60_000)
    if (sample !== undefined) samples.push(sample)
    noteFrames()
    if (samples.length % 12 === 1) say(sample)
  }
  await systemClock.sleep(100)
}

function noteFrames(): void {
  for (const { captured, processed, dropped, errors } of metrics?.cameras ?? []) {
    const left = captured - processed - dropped - errors
    if (left < 0 || left > frameSlots) unaccounted.push(`${left} of ${captured} frames`)
  }
}

function say(sample: Sample | undefined): void {
  const [front] = metrics?.cameras ?? []
  const { reported, deployment } = lab.observed
  // What serves in its soak is not committed: superseded there, it gives way to the last version that was.
  const serves = `${reported?.active?.version ?? 'nothing'} (${deployment?.state ?? 'no deployment'})`
  console.log(
    `${sample?.minute.toFixed(1) ?? '?'} min: ${sample?.residentMb.toFixed(1) ?? '?'} MB, ${sample?.openFiles ?? '?'} files, ` +
      `${front?.processed ?? 0} frames, serves ${serves}, ${faultCount} faults`,
  )
}

child.kill('SIGTERM')
await ended
const settled = samples.filter(({ minute }) => minute > minutes / 4)
const first = settled.slice(0, 12)
const last = settled.slice(-12)
const median = (list: readonly Sample[], value: (sample: Sample) => number): number =>
  list.map(value).sort((a, b) => a - b)[list.length >> 1] ?? 0
const slope = slopePerHour(settled, ({ residentMb }) => residentMb)
const [filesBefore, filesAfter] = [first, last].map((list) => median(list, ({ openFiles }) => openFiles))
const [front] = metrics?.cameras ?? []
console.log(
  `${minutes} min, ${version} updates every ${updateMs / 1000} s, ${faultCount} faults every ${faultMs / 1000} s\n` +
    `${front?.captured ?? 0} frames captured, ${front?.processed ?? 0} answered, ${front?.dropped ?? 0} dropped, ` +
    `${front?.errors ?? 0} failed; unaccounted for: ${unaccounted.length === 0 ? 'none' : unaccounted.at(-1)!}\n` +
    `open files ${filesBefore} after the first quarter, ${filesAfter} at the end\n` +
    `resident memory ${median(first, ({ residentMb }) => residentMb).toFixed(1)} MB after the first quarter, ` +
    `${median(last, ({ residentMb }) => residentMb).toFixed(1)} MB at the end: ${slope.toFixed(2)} MB an hour (at most ${growthMaxMbPerHour})`,
)
await lab.stop()
const isBad =
  death !== undefined ||
  unaccounted.length > 0 ||
  filesAfter! > filesBefore! + 2 ||
  slope > growthMaxMbPerHour
if (isBad) {
  console.error(death ?? 'frames are unaccounted for, files stay open, or the process grows')
  process.exitCode = 1
}
