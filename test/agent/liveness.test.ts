import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { frameLimitMs, stuckReason } from '../../src/agent/liveness.js'
import { systemClock } from '../../src/base/clock.js'
import { silentLogger } from '../../src/base/logger.js'
import { seededRandom } from '../../src/base/random.js'
import { ModelSlot } from '../../src/pipeline/model-slot.js'
import { Pipeline } from '../../src/pipeline/pipeline.js'
import type { Detector, FrameSupply } from '../../src/pipeline/ports.js'
import { MqttConnection } from '../../src/transport/mqtt-connection.js'
import { letterbox } from '../../src/yolo/letterbox.js'
import { predictionOptions } from '../../src/yolo/detection.js'
import { until } from '../helpers/broker.js'
import { TestClock } from '../helpers/test-clock.js'

const never = new Promise<never>(() => undefined)
const square = { width: 32, height: 32 }

/** A pipeline whose camera gives frames or none at all, before a model that answers or hangs. */
function pipelineWith(givesFrames: boolean, hangs: boolean): Pipeline {
  const supply: FrameSupply = {
    next: async (signal) => {
      if (givesFrames && !signal.aborted)
        return {
          ...{ frameId: 1, capturedAtMs: 0, pixels: new SharedArrayBuffer(3072), byteOffset: 0 },
          ...{ byteLength: 3072, letterbox: letterbox(square, square), release: () => undefined },
        }
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve, { once: true })
      })
      return undefined
    },
    stats: () => ({ captured: 0, dropped: 0, restarts: 0 }),
    stop: () => Promise.resolve(),
  }
  const detector: Detector = {
    description: { inputWidth: 32, inputHeight: 32, classNames: ['a'] },
    detect: () => (hangs ? never : Promise.reject(new TypeError('no answer is needed'))),
    close: () => Promise.resolve(),
  }
  return new Pipeline({
    ...{
      camera: 'front',
      openSupply: () => Promise.resolve(supply),
      sinks: [],
      detection: predictionOptions,
    },
    slot: new ModelSlot({ detector, identity: { model: 'm', version: '1.0.0', variant: 'v' } }),
    ...{ maxFps: 0, sinkQueueSize: 1, errorsInRowMax: 100, onPersistentError: () => undefined },
    ...{ clock: systemClock, random: seededRandom(1), logger: silentLogger },
  })
}

/** What is said of `pipeline` once more than the limit of a frame has passed. */
function saidLater(pipeline: Pipeline): string | undefined {
  const clock = new TestClock()
  const laterMs = systemClock.monotonicMs() + frameLimitMs + 1000
  return stuckReason({
    frameSinceMs: () => pipeline.frameSinceMs,
    brokerDueMs: () => Number.POSITIVE_INFINITY,
    clock: Object.assign(clock, { monotonicMs: () => laterMs }),
  })
}

t.test('a frame that does not come back from the model is no life, a dead camera is', async (t) => {
  const hung = pipelineWith(true, true)
  void hung.run()
  await until(() => hung.frameSinceMs !== undefined)
  t.match(saidLater(hung), /^a frame is with the model for \d+ s$/)

  const dead = pipelineWith(false, true)
  void dead.run()
  await systemClock.sleep(50)
  t.equal(saidLater(dead), undefined)
  await dead.stop()
})

t.test(
  'a broker that is away, or takes connections and says nothing, is life; a loop that stands is not',
  async (t) => {
    const silent = createServer((socket) => socket.unref())
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    silent.unref()
    const { port } = silent.address() as AddressInfo
    let isStanding = false
    const clock = {
      ...systemClock,
      sleep: (ms: number, signal?: AbortSignal) => (isStanding ? never : systemClock.sleep(ms, signal)),
    }
    const connection = new MqttConnection(
      {
        ...{ url: `mqtt://127.0.0.1:${port}`, clientId: 'c', connectTimeoutMs: 50 },
        backoff: { firstMs: 10, capMs: 20 },
      },
      { logger: silentLogger, clock },
    )
    t.equal(connection.dueMs, Number.POSITIVE_INFINITY, 'nothing is expected before the start')
    await connection.start()
    const saidAt = (laterMs: number): string | undefined =>
      stuckReason({
        frameSinceMs: () => undefined,
        brokerDueMs: () => connection.dueMs,
        clock: { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + laterMs },
      })
    for (let look = 0; look < 10; look++) {
      await systemClock.sleep(30)
      t.equal(saidAt(0), undefined)
    }
    isStanding = true
    await systemClock.sleep(200)
    t.match(saidAt(60_000), /^the broker loop is \d+ s late$/)
    t.end()
    process.nextTick(() => process.exit(process.exitCode))
  },
)
