import { join } from 'node:path'
import sharp from 'sharp'
import t, { type Test } from 'tap'
import { CameraHost } from '../../../src/agent/serving/camera-host.js'
import { ServingWatch } from '../../../src/agent/serving/serving-watch.js'
import type { ServingModel } from '../../../src/agent/serving/open-served-model.js'
import { systemClock } from '../../../src/base/clock.js'
import { AgentError } from '../../../src/base/errors.js'
import { silentLogger } from '../../../src/base/logger.js'
import { seededRandom } from '../../../src/base/random.js'
import type { CameraConfig } from '../../../src/config/config.js'
import { loadConfig } from '../../../src/config/load.js'
import type { FrameResult } from '../../../src/pipeline/frame-result.js'
import { openDetector } from '../../../src/runtime/detector.js'
import type { ServedModel } from '../../../src/update/ports.js'
import { until } from '../../helpers/broker.js'
import { tinyDetector } from '../../helpers/tiny-detector.js'

function served(version: string): ServedModel {
  return {
    deploymentId: `d-${version}`,
    model: 'm',
    version,
    sequence: 1,
    variantId: 'v',
    manifestSha256: '0'.repeat(64),
    blobSha256s: ['1'.repeat(64)],
    sinceMs: 0,
  }
}

async function openModel(model: ServedModel): Promise<ServingModel> {
  if (model.version === '9.9.9') throw new AgentError('inference.load_failed', 'cannot load it')
  const detector = await openDetector(tinyDetector(), { intraOpThreads: 1, warmUpRuns: 0 })
  const { version, variantId: variant } = model
  return { served: model, detector, provider: detector.provider, identity: { model: 'm', version, variant } }
}

interface Running {
  readonly host: CameraHost
  readonly results: readonly FrameResult[]
  /** The version that serves, at each change. */
  readonly events: readonly string[]
  readonly watch: ServingWatch
  /** How often every camera has ended. */
  endings(): number
}

function run(t: Test, cameras: readonly Partial<CameraConfig>[]): Running {
  const results: FrameResult[] = []
  const events: string[] = []
  let ended = 0
  const watch: ServingWatch = new ServingWatch(systemClock, () => host.failedFrames)
  const host: CameraHost = new CameraHost({
    cameras: cameras.map((camera, index) => ({
      name: `camera${index}`,
      source: 'synthetic',
      maxFps: 0,
      loop: false,
      ...camera,
    })),
    detection: { ...loadConfig({ env: {} }).inference, conf: 0 },
    tracking: loadConfig({ env: {} }).tracking,
    openModel,
    sinksOf: () => [
      {
        name: 'memory',
        accept: (result) => {
          results.push(result)
          return Promise.resolve()
        },
      },
      watch.sink,
    ],
    onServing: (model) => events.push(model?.identity.version ?? 'none'),
    onCamerasEnded: () => ended++,
    clock: systemClock,
    random: seededRandom(1),
    logger: silentLogger,
  })
  t.teardown(() => host.stop())
  return { host, results, events, watch, endings: () => ended }
}

t.test('serves every camera, and swaps the model without a gap in the frames of a camera', async (t) => {
  const { host: cameras, results, events } = run(t, [{}, {}])
  t.same(cameras.takeStats(), [], 'no camera is open without a model')
  await cameras.serve(served('1.0.0'))
  await until(() => new Set(results.map(({ camera }) => camera)).size === 2)
  await cameras.serve(served('2.0.0'))
  await until(() => results.at(-1)?.identity.version === '2.0.0')
  t.equal(cameras.swaps, 1)
  t.same(events, ['1.0.0', '2.0.0'])
  for (const name of ['camera0', 'camera1']) {
    const versions = results.filter(({ camera }) => camera === name).map(({ identity }) => identity.version)
    t.same(versions, [...versions].sort(), 'no frame of the old model after one of the new')
  }
  await cameras.serve(undefined)
  t.same(cameras.takeStats(), [])
  t.equal(events.at(-1), 'none')
})

t.test('a model that cannot be opened leaves the serving one', async (t) => {
  const { host: cameras, results } = run(t, [{}])
  await cameras.serve(served('1.0.0'))
  await t.rejects(cameras.serve(served('9.9.9')), { code: 'inference.load_failed' })
  t.equal(cameras.model?.served.version, '1.0.0')
  const before = results.length
  await until(() => results.length > before + 2)
  t.equal(results.at(-1)?.identity.version, '1.0.0')
})

t.test('a watch counts the frames of its window', async (t) => {
  const { host: cameras, watch } = run(t, [{ maxFps: 50 }])
  await cameras.serve(served('1.0.0'))
  const window = await watch.observe(300, new AbortController().signal)
  t.ok(window.frames > 0)
  t.ok(window.latencyP95Ms > 0)
  t.equal(window.errors, 0)
  const stop = new AbortController()
  const cut = watch.observe(60_000, stop.signal)
  stop.abort()
  await t.rejects(cut, { code: 'network.request_timeout' })
})

t.test('tells when every source has come to its end', async (t) => {
  const picture = join(t.testdir(), 'grey.png')
  await sharp({ create: { width: 8, height: 8, channels: 3, background: 'grey' } }).toFile(picture)
  const running = run(t, [{ source: picture }])
  await running.host.serve(served('1.0.0'))
  await until(() => running.endings() === 1)
  t.equal(running.endings(), 1)
})
