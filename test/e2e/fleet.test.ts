/** A publisher, an agent and a broker in processes of their own. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { encodeCommand } from '../../src/protocol/command.js'
import { type Deployment, parseDeployment } from '../../src/protocol/deployment.js'
import { parseDetections } from '../../src/protocol/detections.js'
import { parseInfo } from '../../src/protocol/info.js'
import { type Metrics, parseMetrics } from '../../src/protocol/metrics.js'
import {
  encodePreviewRequest,
  parsePreview,
  type Preview,
  previewCommand,
} from '../../src/protocol/preview.js'
import { parseReport, type Report } from '../../src/protocol/report.js'
import { parseReported, type Reported } from '../../src/protocol/reported.js'
import { topicsBelow } from '../../src/protocol/topics.js'
import type { MqttConnection } from '../../src/transport/mqtt-connection.js'
import { startConnection } from '../helpers/broker.js'
import { readExport } from '../helpers/exports.js'
import { Mosquitto, skipWithoutMosquitto } from '../helpers/mosquitto.js'
import { runCommand, startCommand } from '../helpers/processes.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

const device = 'cam-1'
const topics = topicsBelow('yolo-edge/v2')

/** What a fleet's observer has heard of one device. */
class Observer {
  readonly availability: string[] = []
  readonly deployments: Deployment[] = []
  reported: Reported | undefined
  board: string | undefined
  metrics: Metrics | undefined
  readonly reports: Report[] = []
  readonly pictures: Preview[] = []
  frames = 0
  #connection: MqttConnection | undefined

  async askForPictures(): Promise<void> {
    const args = encodePreviewRequest({ forMs: 5000, fpsMax: 10 })
    const command = encodeCommand({ transaction: 'pictures', args })
    const topic = topics.command(device, previewCommand)
    await this.#connection?.publish(topic, command, { qos: 1, retain: false })
  }

  listen(connection: MqttConnection): void {
    this.#connection = connection
    connection.subscribe([topics.preview(device, 'front')], 0, ({ payload }) => {
      this.pictures.push(parsePreview(Uint8Array.from(payload)))
    })
    const state = (kind: Parameters<typeof topics.deviceState>[1]): string => topics.deviceState(device, kind)
    connection.subscribe([state('availability')], 1, ({ payload }) => {
      this.availability.push(Buffer.from(payload).toString())
    })
    connection.subscribe([state('reported')], 1, ({ payload }) => {
      this.reported = parseReported(payload)
    })
    connection.subscribe([state('info')], 1, ({ payload }) => {
      this.board = parseInfo(payload).board
    })
    connection.subscribe([state('metrics')], 0, ({ payload }) => {
      this.metrics = parseMetrics(payload)
    })
    connection.subscribe([state('report')], 1, ({ payload }) => {
      this.reports.push(parseReport(payload))
    })
    connection.subscribe([state('deployment')], 1, ({ payload }) => {
      this.deployments.push(parseDeployment(payload))
    })
    connection.subscribe([topics.detections(device, 'front')], 0, ({ payload }) => {
      parseDetections(payload)
      this.frames++
    })
  }

  get version(): string | undefined {
    return this.reported?.active?.version
  }

  /** The code of the last refusal or rollback. */
  get refusal(): string | undefined {
    return this.deployments.findLast(({ error }) => error !== undefined)?.error?.code
  }
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (condition()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`${what}: not within 30 seconds`)
}

interface Fleet {
  readonly broker: Mosquitto
  readonly observer: Observer
  readonly folder: string
  readonly settings: readonly string[]
  publish(version: string, model?: string, key?: string): ReturnType<typeof runCommand>
}

async function fleet(t: Test): Promise<Fleet> {
  const model = readExport('opset17-slim')
  const files = { 'parts.onnx': model, 'broken.onnx': model.subarray(0, 20_000) }
  const folder = temporaryFolder(t, files, ['broker', 'keys'])
  const broker = await Mosquitto.start({ folder: join(folder, 'broker'), isPersistent: true })
  t.teardown(() => broker.stop())
  await runCommand(t, ['keygen', join(folder, 'keys', 'fleet')])
  await runCommand(t, ['keygen', join(folder, 'stranger')])
  const observer = new Observer()
  observer.listen(await startConnection(t, broker.url))
  // The folder of keys holds the private one too: only *.pub, *.pem and *.json are read.
  const settings = [
    `device.id=${device}`,
    `broker.url=${broker.url}`,
    `state.directory=${join(folder, 'state')}`,
    `security.trusted_keys=${join(folder, 'keys')}`,
    'selection.trial_runs=5',
    'telemetry.metrics_period_s=1',
    'acceptance.soak_s=1',
    'acceptance.latency_factor_max=100',
    'acceptance.active_latency_factor_max=1000',
    'inference.conf=0',
    'inference.threads=1',
    'cameras=front=synthetic#fps=10',
  ].flatMap((setting) => ['--set', setting])
  return {
    broker,
    observer,
    folder,
    settings,
    publish: (version, file = 'parts.onnx', key = join('keys', 'fleet.key')) =>
      runCommand(t, [
        'publish',
        join(folder, file),
        '--name',
        'parts',
        '--model-version',
        version,
        '--sequence',
        version.split('.')[0]!,
        '--sign',
        join(folder, key),
        '--broker',
        broker.url,
        '--json',
      ]),
  }
}

t.test(
  'from publish to detections, through a broker that dies',
  { skip: skipWithoutMosquitto() },
  async (t) => {
    const trial = await fleet(t)
    const { broker, observer, settings } = trial
    const agent = startCommand(t, ['run', ...settings])
    await until('online', () => observer.availability.includes('online'))
    const published = await trial.publish('1.0.0')
    t.equal(published.status, 0, published.stderr)
    await until('serving', () => observer.version === '1.0.0' && observer.frames > 3)
    t.ok(observer.board, 'info says what the device is')
    await until('committed', () => observer.deployments.at(-1)?.state === 'idle')
    t.same(
      [...new Set(observer.deployments.map(({ state }) => state))],
      ['offered', 'downloading', 'verifying', 'staged', 'trial', 'switching', 'soaking', 'committed', 'idle'],
    )

    await until('metrics', () => (observer.metrics?.cameras[0]?.processed ?? 0) > 0)
    t.same(
      observer.reports.map(({ kind }) => kind),
      ['trial', 'soak'],
    )

    await observer.askForPictures()
    await until('pictures', () => observer.pictures.length > 1)
    t.match(observer.pictures.at(-1)?.frame, { width: Number, height: Number })

    const before = observer.frames
    await broker.kill('SIGKILL')
    await broker.run()
    await until('detections after the death of the broker', () => observer.frames > before + 3)

    agent.kill('SIGTERM')
    t.equal(await agent.ended, 0, 'a clean end')
    await until('stopped', () => observer.availability.at(-1) === 'stopped')

    const again = startCommand(t, ['run', ...settings])
    const seen = observer.frames
    await until('served from the disk', () => observer.frames > seen + 2)
    again.kill('SIGKILL')
    await again.ended
    await until('the last will', () => observer.availability.at(-1) === 'offline')
  },
)

t.test(
  'what must not serve is refused, and the serving model goes on',
  { skip: skipWithoutMosquitto() },
  async (t) => {
    const trial = await fleet(t)
    const { broker, observer, folder, settings } = trial
    startCommand(t, ['run', ...settings])
    await trial.publish('2.0.0')
    await until('serving', () => observer.version === '2.0.0')
    await until('committed', () => observer.deployments.at(-1)?.state === 'idle')

    const goesOn = async (what: string): Promise<void> => {
      const before = observer.frames
      await until(`${what}: frames go on`, () => observer.frames > before + 2)
      t.equal(observer.version, '2.0.0', `${what}: the model stays`)
    }

    await trial.publish('3.0.0', 'parts.onnx', 'stranger.key')
    await goesOn('a wish of a stranger')

    await trial.publish('1.0.0')
    await until('a downgrade', () => observer.refusal === 'trust.sequence_stale')
    await goesOn('a downgrade')

    const broken = await trial.publish('4.0.0', 'broken.onnx')
    t.equal(broken.status, 3, 'a broken model is not even published')

    const rubbish = await startConnection(t, broker.url)
    await rubbish.requireOnline(10_000)
    const wishes = [topics.channelDesired('stable'), topics.deviceDesired(device)]
    for (const topic of wishes) {
      for (const payload of ['', '{', '{"payload":1}', '\u0000'.repeat(100_000), JSON.stringify({ a: [] })])
        await rubbish.publish(topic, payload, { qos: 1, retain: false })
    }
    await goesOn('rubbish on the topics of wishes')

    writeFileSync(join(folder, 'keys', 'rotten.pub'), 'no key')
    await trial.publish('5.0.0')
    await goesOn('a rotten key among the trusted')
  },
)
