import t from 'tap'
import { systemClock } from '../../src/base/clock.js'
import { AgentError } from '../../src/base/errors.js'
import { silentLogger } from '../../src/base/logger.js'
import { seededRandom } from '../../src/base/random.js'
import type { FrameResult } from '../../src/pipeline/frame-result.js'
import { type LoadedModel, ModelSlot } from '../../src/pipeline/model-slot.js'
import { Pipeline, type PipelineOptions } from '../../src/pipeline/pipeline.js'
import type { ResultSink } from '../../src/pipeline/ports.js'
import { openDetector } from '../../src/runtime/detector.js'
import { predictionOptions } from '../../src/yolo/detection.js'
import { MemorySupply } from '../helpers/memory-supply.js'
import { plainFrame, tinyDetector, type TinyDetectorOptions } from '../helpers/tiny-detector.js'

async function loaded(version: string, options: TinyDetectorOptions = {}): Promise<LoadedModel> {
  const detector = await openDetector(tinyDetector(options), { warmUpRuns: 1, intraOpThreads: 1 })
  return { detector, identity: { model: 'tiny', version, variant: 'fp32' } }
}

class Collector implements ResultSink {
  readonly name = 'collector'
  readonly results: FrameResult[] = []
  accept(result: FrameResult): Promise<void> {
    this.results.push(result)
    return Promise.resolve()
  }
}

function optionsFor(slot: ModelSlot, changed: Partial<PipelineOptions>): PipelineOptions {
  return {
    camera: 'door',
    openSupply: (size) => Promise.resolve(new MemorySupply({ size, frames: 10 })),
    slot,
    sinks: [],
    detection: predictionOptions,
    maxFps: 0,
    sinkQueueSize: 1000,
    errorsInRowMax: 3,
    onPersistentError: (error) => {
      throw error
    },
    clock: systemClock,
    random: seededRandom(1),
    logger: silentLogger,
    ...changed,
  }
}

t.test('every frame of a source becomes one result, in order, with its own pixels', async (t) => {
  const slot = new ModelSlot(await loaded('1.0.0'))
  const sink = new Collector()
  const value = (frameId: number): number => 100 + frameId
  const supply = new MemorySupply({ size: { width: 32, height: 32 }, frames: 50, value })
  const pipeline = new Pipeline(
    optionsFor(slot, { openSupply: () => Promise.resolve(supply), sinks: [sink] }),
  )
  t.same(await pipeline.run(), { reason: 'ended' })
  t.same(
    sink.results.map((result) => result.frameId),
    Array.from({ length: 50 }, (_, index) => index),
  )
  for (const { frameId, detections } of sink.results) {
    t.equal(Math.round(detections[0]!.score * 255), value(frameId))
  }
  t.match(sink.results[0], { camera: 'door', classNames: ['thing'], identity: { version: '1.0.0' } })
  t.equal(supply.leased, 0, 'every lease is given back')
  t.equal(supply.leasedMost, 1)
  t.ok(supply.isStopped)
  const stats = pipeline.takeStats()
  t.match(stats, {
    captured: 50,
    processed: 50,
    errors: 0,
    detections: 50,
    sinks: [{ accepted: 50, dropped: 0 }],
  })
  t.equal(stats.latency.inference.count, 50)
  t.equal(stats.latency.total.count, 50)
  t.equal(pipeline.takeStats().latency.inference.count, 0, 'a window is taken once')
  await slot.close()
})

t.test('a swap under load loses no frame and mixes no results', async (t) => {
  const slot = new ModelSlot(await loaded('1.0.0'))
  const sink = new Collector()
  const supply = new MemorySupply({ size: { width: 32, height: 32 } })
  const pipeline = new Pipeline(
    optionsFor(slot, { openSupply: () => Promise.resolve(supply), sinks: [sink] }),
  )
  const running = pipeline.run()
  for (const version of ['2.0.0', '3.0.0', '4.0.0']) {
    const old = slot.current
    const candidate = await loaded(version)
    const before = sink.results.length
    await slot.swap(candidate)
    await t.rejects(
      old.detector.detect(plainFrame(32, 0), predictionOptions),
      { code: 'inference.worker_died' },
      'the old model is closed',
    )
    while (sink.results.length < before + 5) await systemClock.sleep(1)
  }
  await pipeline.stop()
  t.same(await running, { reason: 'stopped' })
  t.same(
    sink.results.map((result) => result.frameId),
    sink.results.map((_, index) => index),
    'no gap and no disorder',
  )
  const versions = sink.results.map((result) => result.identity.version)
  t.same([...new Set(versions)], ['1.0.0', '2.0.0', '3.0.0', '4.0.0'])
  t.same(versions, [...versions].sort())
  t.equal(pipeline.takeStats().errors, 0)
  t.equal(slot.swaps, 3)
  await slot.close()
})

t.test('a model of another input size gets frames of its size', async (t) => {
  const slot = new ModelSlot(await loaded('1.0.0'))
  const sink = new Collector()
  const opened: MemorySupply[] = []
  const pipeline = new Pipeline(
    optionsFor(slot, {
      sinks: [sink],
      openSupply: (size) => {
        t.ok(
          opened.every((supply) => supply.isStopped),
          'the camera is never open twice',
        )
        const supply = new MemorySupply({ size, firstId: 1000 * opened.length })
        opened.push(supply)
        return Promise.resolve(supply)
      },
    }),
  )
  const running = pipeline.run()
  while (sink.results.length < 3) await systemClock.sleep(1)
  await slot.swap(await loaded('2.0.0', { size: 64 }))
  while (sink.results.at(-1)?.identity.version !== '2.0.0') await systemClock.sleep(1)
  await pipeline.stop()
  await running
  t.equal(opened.length, 2)
  t.ok(opened.every((supply) => supply.leased === 0))
  t.match(
    sink.results.find((result) => result.identity.version === '2.0.0'),
    { sourceWidth: 64, detections: [{ x1: 24, x2: 40 }] },
  )
  const stats = pipeline.takeStats()
  t.equal(stats.errors, 0)
  t.equal(stats.captured, stats.processed + stats.dropped, 'the totals go on over the change')
  await slot.close()
})

t.test('a slow sink loses results of its own and does not slow the loop', async (t) => {
  const slot = new ModelSlot(await loaded('1.0.0'))
  const fast = new Collector()
  let free = (): void => undefined
  const blocked = new Promise<void>((resolve) => (free = resolve))
  const taken: number[] = []
  const slow: ResultSink = {
    name: 'slow',
    accept: async ({ frameId }) => {
      taken.push(frameId)
      await blocked
    },
  }
  const supply = new MemorySupply({ size: { width: 32, height: 32 }, frames: 30 })
  const pipeline = new Pipeline(
    optionsFor(slot, { openSupply: () => Promise.resolve(supply), sinks: [slow, fast], sinkQueueSize: 2 }),
  )
  const running = pipeline.run()
  while (fast.results.length < 30) await systemClock.sleep(1)
  free()
  await running
  t.same(taken, [0, 28, 29], 'the first in hand, then the newest')
  t.match(pipeline.takeStats().sinks, [
    { name: 'slow', accepted: 3, dropped: 27 },
    { name: 'collector', accepted: 30, dropped: 0 },
  ])
  await slot.close()
})

t.test('a sink that throws is counted, and the others get their results', async (t) => {
  const slot = new ModelSlot(await loaded('1.0.0'))
  const good = new Collector()
  const bad: ResultSink = {
    name: 'bad',
    accept: () => Promise.reject(new AgentError('resource.disk_full', 'no room')),
  }
  const pipeline = new Pipeline(optionsFor(slot, { sinks: [bad, good] }))
  t.same(await pipeline.run(), { reason: 'ended' })
  t.equal(good.results.length, 10)
  t.match(pipeline.takeStats().sinks, [{ name: 'bad', errors: 10, accepted: 0 }, { accepted: 10 }])
  await slot.close()
})

t.test(
  'failing frames do not end the loop and are reported once, until another model is swapped in',
  async (t) => {
    const slot = new ModelSlot(await loaded('1.0.0', { divisor: 0 }))
    const sink = new Collector()
    const reported: AgentError[] = []
    const supply = new MemorySupply({ size: { width: 32, height: 32 }, value: () => 0 })
    const pipeline = new Pipeline(
      optionsFor(slot, {
        openSupply: () => Promise.resolve(supply),
        sinks: [sink],
        detection: { ...predictionOptions, conf: 0 },
        onPersistentError: (error) => reported.push(error),
      }),
    )
    const running = pipeline.run()
    while (reported.length === 0) await systemClock.sleep(5)
    t.equal(reported[0]?.code, 'inference.output_invalid')
    await systemClock.sleep(100)
    t.equal(reported.length, 1)
    await slot.swap(await loaded('2.0.0'))
    while (sink.results.length < 3) await systemClock.sleep(5)
    await pipeline.stop()
    await running
    t.ok(pipeline.takeStats().errors >= 3)
    t.equal(supply.leased, 0)
    await slot.close()
  },
)

t.test('a dead inference thread is reported at once', async (t) => {
  const detector = await openDetector(tinyDetector())
  const slot = new ModelSlot({ detector, identity: { model: 'tiny', version: '1.0.0', variant: 'fp32' } })
  const reported: AgentError[] = []
  const pipeline = new Pipeline(
    optionsFor(slot, {
      openSupply: (size) => Promise.resolve(new MemorySupply({ size })),
      onPersistentError: (error) => reported.push(error),
    }),
  )
  const running = pipeline.run()
  await systemClock.sleep(20)
  await detector.terminate()
  while (reported.length === 0) await systemClock.sleep(1)
  t.equal(reported[0]?.code, 'inference.worker_died')
  await pipeline.stop()
  t.same(await running, { reason: 'stopped' })
  await slot.close()
})

t.test('a source that fails for good ends the run with its error', async (t) => {
  const slot = new ModelSlot(await loaded('1.0.0'))
  const failure = new AgentError('camera.stream_broken', 'the cable is out')
  const pipeline = new Pipeline(
    optionsFor(slot, {
      openSupply: (size) => Promise.resolve(new MemorySupply({ size, frames: 2, failure })),
    }),
  )
  t.same(await pipeline.run(), { reason: 'failed', error: failure })
  t.equal(pipeline.takeStats().processed, 2)
  await slot.close()
})

t.test('a camera that cannot be opened yet is tried again', async (t) => {
  const slot = new ModelSlot(await loaded('1.0.0'))
  let attempts = 0
  const pipeline = new Pipeline(
    optionsFor(slot, {
      openSupply: (size) => {
        attempts++
        return attempts < 3
          ? Promise.reject(new AgentError('camera.open_failed', 'busy'))
          : Promise.resolve(new MemorySupply({ size, frames: 1 }))
      },
      clock: { ...systemClock, sleep: () => Promise.resolve() },
    }),
  )
  t.same(await pipeline.run(), { reason: 'ended' })
  t.equal(attempts, 3)
  await slot.close()
})

t.test('stop ends a run that waits for a frame, and may be called twice', async (t) => {
  const slot = new ModelSlot(await loaded('1.0.0'))
  let isStopped = false
  const pipeline = new Pipeline(
    optionsFor(slot, {
      openSupply: () =>
        Promise.resolve({
          next: (signal) =>
            new Promise((resolve) => {
              signal.addEventListener('abort', () => {
                resolve(undefined)
              })
            }),
          stats: () => ({ captured: 0, dropped: 0, restarts: 0 }),
          stop: () => {
            isStopped = true
            return Promise.resolve()
          },
        }),
    }),
  )
  const running = pipeline.run()
  await systemClock.sleep(5)
  await Promise.all([pipeline.stop(), pipeline.stop()])
  t.same(await running, { reason: 'stopped' })
  t.ok(isStopped)
  await slot.close()
})
