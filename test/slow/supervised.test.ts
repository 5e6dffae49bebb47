/** The agent below a service manager with a watchdog: what is stuck is started anew, what only waits is not. */

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/base/clock.js'
import { topicsBelow } from '../../src/protocol/topics.js'
import type { EmbeddedBroker } from '../../src/transport/embedded-broker.js'
import { openConnection, startBroker } from '../helpers/broker.js'
import { projectRoot } from '../helpers/paths.js'
import { runCommand } from '../helpers/processes.js'
import { ServiceSupervisor } from '../helpers/service-supervisor.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'
import { tinyDetector } from '../helpers/tiny-detector.js'

const device = 'supervised'
const topics = topicsBelow('yolo-edge/v2')
const watchdogMs = 15_000
/** Far more than any of the limits, for machines that do other things as well. */
const patienceMs = 240_000
const helper = (name: string): string => join(projectRoot, 'dist', 'test', 'helpers', `${name}.js`)
const runnerFile = helper('reference-runner')

interface Supervised {
  readonly supervisor: ServiceSupervisor
  readonly broker: EmbeddedBroker
  /** Frames that the device has told of. */
  readonly frames: () => number
}

interface SupervisedOptions {
  readonly source?: string
  readonly stuckPart?: string
  /** Whether the model is behind a runner, a process of its own. */
  readonly hasRunner?: boolean
}

/** An agent that serves, below a supervisor. */
async function supervised(t: Test, options: SupervisedOptions): Promise<Supervised> {
  const { source = 'synthetic#fps=10', stuckPart = '', hasRunner = false } = options
  const folder = temporaryFolder(t, { 'yolo.hef': '{"kind":"brightness"}' }, [])
  const [onnx, hef] = [join(folder, 'yolo.onnx'), join(folder, 'yolo.hef')]
  writeFileSync(onnx, tinyDetector({ size: 64 }).bytes)
  const broker = await startBroker(t)
  const viewer = await openConnection(t, broker.url)
  let frames = 0
  viewer.subscribe([topics.detections(device, 'front')], 0, () => frames++)
  const settings = [
    ...[`device.id=${device}`, `broker.url=${broker.url}`, `state.directory=${join(folder, 'state')}`],
    ...['security.allow_unsigned=true', 'selection.trial_runs=5', 'acceptance.soak_s=0', 'inference.conf=0'],
    ...(hasRunner
      ? [
          'inference.providers=openvino',
          `inference.runners=hef=${process.execPath} ${runnerFile} abacus 2.1.0 abacus1`,
        ]
      : []),
    `cameras=front=${source}`,
  ].flatMap((setting) => ['--set', setting])
  const main = join(projectRoot, 'dist', 'src', 'cli', 'main.js')
  const stuck = stuckPart === '' ? [] : ['--import', helper('stuck-on-signal')]
  const supervisor = await ServiceSupervisor.start(t, [...stuck, main, 'run', ...settings], {
    watchdogMs,
    cwd: folder,
    env: { STUCK_PART: stuckPart },
  })
  const artefacts = hasRunner ? [onnx, hef, '--artefact', 'hef=abacus1,abacus,2.1.0'] : [onnx]
  const sent = await runCommand(t, ['publish', ...artefacts, '--unsigned', '--broker', broker.url])
  t.equal(sent.status, 0, sent.stderr)
  await until(t, 'the device serves', supervisor, () => frames > 3 && supervisor.readyCount === 1)
  return { supervisor, broker, frames: () => frames }
}

async function until(
  t: Test,
  what: string,
  { said }: ServiceSupervisor,
  condition: () => boolean,
): Promise<void> {
  const endMs = systemClock.monotonicMs() + patienceMs
  while (!condition() && systemClock.monotonicMs() < endMs) await systemClock.sleep(50)
  t.ok(condition(), `${what} ${condition() ? '' : said}`)
}

/** Waits until the watchdog has ended the service, and it serves again. */
async function restartedAfter(
  t: Test,
  { supervisor, frames }: Supervised,
  reason: RegExp | undefined,
): Promise<void> {
  const faultMs = performance.now()
  await until(t, 'the watchdog expires', supervisor, () => supervisor.expiriesMs.length === 1)
  const seconds = ((supervisor.expiriesMs[0]! - faultMs) / 1000).toFixed(1)
  t.comment(`the watchdog of ${watchdogMs / 1000} s expired ${seconds} s after the fault`)
  if (reason !== undefined) t.match(supervisor.said, reason)
  await until(t, 'it is ready again', supervisor, () => supervisor.readyCount === 2)
  const before = frames()
  await until(t, 'it serves again', supervisor, () => frames() > before + 3)
  t.equal(supervisor.expiriesMs.length, 1)
}

/** The runner that serves: the one that is not the child of a trial. */
function runnerOf(pid: number): number | undefined {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((each) => {
      try {
        const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${each}/status`, 'utf8'))?.[1])
        return parent === pid && readFileSync(`/proc/${each}/cmdline`, 'utf8').includes(runnerFile)
      } catch {
        return false
      }
    })
}

const skip = process.platform === 'linux' ? false : 'service managers with a notify socket are of Linux'
t.setTimeout(2 * patienceMs)
t.jobs = 5

t.test('a process that inference waits for stands still', { skip, buffered: true }, async (t) => {
  const device = await supervised(t, { hasRunner: true })
  const pid = runnerOf(device.supervisor.pid)
  t.ok(pid, 'the runner is found')
  process.kill(pid!, 'SIGSTOP')
  t.teardown(() => {
    try {
      process.kill(pid!, 'SIGKILL')
    } catch {
      // It has ended with the agent.
    }
  })
  await restartedAfter(t, device, /a frame is with the model for \d+ s/)
})

t.test('the whole process stands still', { skip, buffered: true }, async (t) => {
  const device = await supervised(t, {})
  process.kill(device.supervisor.pid, 'SIGSTOP')
  await restartedAfter(t, device, undefined)
})

t.test('the event loop is blocked', { skip, buffered: true }, async (t) => {
  const device = await supervised(t, { stuckPart: 'event-loop' })
  process.kill(device.supervisor.pid, 'SIGUSR2')
  await restartedAfter(t, device, undefined)
})

t.test('the broker loop is stuck', { skip, buffered: true }, async (t) => {
  const device = await supervised(t, { stuckPart: 'broker-loop' })
  process.kill(device.supervisor.pid, 'SIGUSR2')
  await systemClock.sleep(200)
  device.broker.disconnectAll()
  await restartedAfter(t, device, /the broker loop is \d+ s late/)
})

t.test(
  'a dead camera, and then a broker that is away, are waited for',
  { skip, buffered: true },
  async (t) => {
    const pictures = join(temporaryFolder(t, {}, []), 'pictures')
    mkdirSync(pictures)
    const plain = sharp({ create: { width: 64, height: 64, channels: 3, background: '#808080' } })
    writeFileSync(join(pictures, '1.png'), await plain.png().toBuffer())
    const { supervisor, broker, frames } = await supervised(t, { source: `${pictures}#loop=true&fps=10` })
    rmSync(pictures, { recursive: true })
    let before = -1
    while (before !== frames()) {
      before = frames()
      await systemClock.sleep(2000)
    }
    const pings = supervisor.pingCount
    await until(t, 'it lives without a camera', supervisor, () => supervisor.pingCount > pings + 5)
    t.equal(frames(), before, 'the camera is dead')
    await broker.stop()
    await until(t, 'it lives without a broker', supervisor, () => supervisor.pingCount > pings + 10)
    t.same([supervisor.startsMs.length, supervisor.expiriesMs.length], [1, 0])
  },
)
