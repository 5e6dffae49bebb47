/** Bad models published to a device that serves: a publisher, an agent, a broker and a camera as they are. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { importModel } from '../../src/onnx/import-model.js'
import { type Deployment, parseDeployment } from '../../src/protocol/deployment.js'
import { parseDetections } from '../../src/protocol/detections.js'
import { type Metrics, parseMetrics } from '../../src/protocol/metrics.js'
import { parseReported, type Reported } from '../../src/protocol/reported.js'
import { topicsBelow } from '../../src/protocol/topics.js'
import { withBurden, withScrambledWeights, withSwappedClasses } from '../helpers/bad-models.js'
import { openConnection } from '../helpers/broker.js'
import { Mosquitto, skipWithoutMosquitto } from '../helpers/mosquitto.js'
import { projectRoot } from '../helpers/paths.js'
import { runCommand, startCommand } from '../helpers/processes.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

const device = 'cam-1'
const topics = topicsBelow('yolo-edge/v2')
const limitMs = 180_000
// tap ends a test after 30 s unless told otherwise.
t.setTimeout(1_200_000)

interface BadModel {
  readonly file: string
  readonly version: string
  /** Whether labelled pictures go out with it. */
  readonly hasGolden: boolean
  readonly code: string
  readonly reason: RegExp
  readonly isRolledBack: boolean
}

const badModels: readonly BadModel[] = [
  {
    file: 'scrambled',
    version: '2.0.0',
    hasGolden: true,
    code: 'inference.output_invalid',
    reason: /finds nothing in 16 golden pictures/,
    isRolledBack: false,
  },
  {
    file: 'swapped',
    version: '3.0.0',
    hasGolden: true,
    code: 'deployment.accuracy_low',
    reason: /mAP 0\.0/,
    isRolledBack: false,
  },
  {
    file: 'slow',
    version: '4.0.0',
    hasGolden: true,
    code: 'deployment.latency_high',
    reason: /the active model/,
    isRolledBack: false,
  },
  {
    file: 'scrambled',
    version: '5.0.0',
    hasGolden: false,
    code: 'deployment.soak_failed',
    reason: /agrees with the previous model/,
    isRolledBack: true,
  },
  {
    file: 'swapped',
    version: '6.0.0',
    hasGolden: false,
    code: 'deployment.soak_failed',
    reason: /agrees with the previous model/,
    isRolledBack: true,
  },
  {
    file: 'slow',
    version: '7.0.0',
    hasGolden: false,
    code: 'deployment.latency_high',
    reason: /the active model/,
    isRolledBack: false,
  },
]

t.test(
  'bad models are refused or rolled back by the device itself',
  { skip: skipWithoutMosquitto(), timeout: 1_200_000 },
  async (t) => {
    const good = readFileSync(join(projectRoot, 'models', 'parts', 'parts.onnx'))
    const graph = importModel(good)
    const folder = temporaryFolder(
      t,
      {
        'good.onnx': good,
        'scrambled.onnx': withScrambledWeights(graph),
        'swapped.onnx': withSwappedClasses(graph),
        'slow.onnx': withBurden(graph, 4),
      },
      ['broker', 'keys'],
    )
    const data = join(folder, 'data')
    await runCommand(t, ['generate', data, '--train', '1', '--val', '16', '--golden', '1', '--size', '160'])
    const broker = await Mosquitto.start({ folder: join(folder, 'broker') })
    t.teardown(() => broker.stop())
    await runCommand(t, ['keygen', join(folder, 'keys', 'fleet')])

    let reported: Reported | undefined
    let metrics: Metrics | undefined
    let deployments: Deployment[] = []
    const frames = { count: 0, versions: new Set<string>(), lastMs: 0, longestGapMs: 0 }
    const observer = await openConnection(t, broker.url)
    observer.subscribe([topics.deviceState(device, 'reported')], 1, ({ payload }) => {
      reported = parseReported(payload)
    })
    observer.subscribe([topics.deviceState(device, 'metrics')], 0, ({ payload }) => {
      metrics = parseMetrics(payload)
    })
    observer.subscribe([topics.deviceState(device, 'deployment')], 1, ({ payload }) => {
      deployments.push(parseDeployment(payload))
    })
    observer.subscribe([topics.detections(device, 'front')], 0, ({ payload }) => {
      const nowMs = performance.now()
      if (frames.count++ > 0) frames.longestGapMs = Math.max(frames.longestGapMs, nowMs - frames.lastMs)
      frames.lastMs = nowMs
      frames.versions.add(parseDetections(payload).version)
    })
    const settings = [
      `device.id=${device}`,
      `broker.url=${broker.url}`,
      `state.directory=${join(folder, 'state')}`,
      `security.trusted_keys=${join(folder, 'keys')}`,
      'selection.trial_runs=20',
      'telemetry.metrics_period_s=1',
      'acceptance.soak_s=6',
      'acceptance.soak_window_s=6',
      'inference.threads=1',
      `cameras=front=synthetic://${join(data, 'val', 'images')}#fps=10`,
    ]
    const agent = startCommand(t, ['run', ...settings.flatMap((setting) => ['--set', setting])])
    const until = async (what: string, condition: () => boolean): Promise<void> => {
      const startMs = performance.now()
      while (!condition()) {
        if (performance.now() - startMs > limitMs)
          throw new Error(
            `${what}: not in time; ${JSON.stringify(deployments.at(-1))} ${agent.stderr().slice(-2000)}`,
          )
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
    const publish = async (file: string, version: string, hasGolden: boolean): Promise<void> => {
      const { status, stderr } = await runCommand(t, [
        ...['publish', join(folder, `${file}.onnx`), '--name', 'parts', '--model-version', version],
        ...[
          '--sequence',
          version.split('.')[0]!,
          '--sign',
          join(folder, 'keys', 'fleet.key'),
          '--broker',
          broker.url,
        ],
        ...(hasGolden ? ['--golden', data] : []),
      ])
      t.equal(status, 0, status === 0 ? `${file} ${version} is published` : stderr)
    }
    const isSettled = (): boolean => deployments.at(-1)?.state === 'idle'

    await publish('good', '1.0.0', true)
    await until(
      'the good one serves',
      () => reported?.active?.version === '1.0.0' && isSettled() && frames.count > 10,
    )

    for (const bad of badModels) {
      const name = `${bad.file} ${bad.hasGolden ? 'with' : 'without'} labelled pictures`
      deployments = []
      const before = frames.count
      frames.longestGapMs = 0
      await publish(bad.file, bad.version, bad.hasGolden)
      await until(name, () => reported?.refused?.version === bad.version && isSettled())
      t.equal(reported?.refused?.error.code, bad.code, `${name}: ${reported?.refused?.error.message}`)
      t.match(reported?.refused?.error.message, bad.reason)
      t.equal(reported?.active?.version, '1.0.0', `${name}: the good one is active`)
      t.equal(
        deployments.some(({ state }) => state === 'rollingBack'),
        bad.isRolledBack,
        `${name}: ${deployments.map(({ state }) => state).join(' ')}`,
      )
      const count = frames.count
      await until('frames go on', () => frames.count > count + 2)
      t.ok(
        count > before,
        `${name}: ${count - before} frames meanwhile, at most ${frames.longestGapMs.toFixed(0)} ms apart`,
      )
    }
    const camera = metrics?.cameras[0]
    t.match(camera, { restarts: 0, errors: 0 }, 'the camera was never stopped')
    t.ok((camera?.processed ?? 0) > 0)
    t.same([...frames.versions].sort(), ['1.0.0', '5.0.0', '6.0.0'], 'no refused model saw a frame')
  },
)
