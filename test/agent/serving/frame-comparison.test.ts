import t from 'tap'
import { FrameComparison } from '../../../src/agent/serving/frame-comparison.js'
import { systemClock } from '../../../src/base/clock.js'
import { silentLogger } from '../../../src/base/logger.js'
import { openDetector } from '../../../src/runtime/detector.js'
import type { ServedModel } from '../../../src/update/ports.js'
import { predictionOptions } from '../../../src/yolo/detection.js'
import { plainFrame, tinyDetector } from '../../helpers/tiny-detector.js'
import { TestClock } from '../../helpers/test-clock.js'

const previous = { version: '1.0.0', deploymentId: 'd' } as ServedModel

function comparisonWith(
  open: () => ReturnType<typeof openDetector>,
  clock = new TestClock(),
): FrameComparison {
  return new FrameComparison({
    previous: () => previous,
    open,
    detection: predictionOptions,
    filterOf: () => undefined,
    clock,
    logger: silentLogger,
  })
}

const tiny = (): ReturnType<typeof openDetector> =>
  openDetector(tinyDetector(), { intraOpThreads: 1, warmUpRuns: 0 })

/** The agreement with a model that finds what the tiny detector finds, as class `classIndex`. */
async function agreementOf(classIndex: number): Promise<number | undefined> {
  const clock = new TestClock()
  const comparison = comparisonWith(tiny, clock)
  const frame = plainFrame(32, 255)
  const serving = await tiny()
  const { detections, timings } = await serving.detect(frame, predictionOptions)
  await serving.close()
  const tap = comparison.tapOf('front')
  await comparison.begin()
  for (let frameId = 0; frameId < 40; frameId++) {
    tap.look({
      ...frame,
      frameId,
      capturedAtMs: 0,
      byteLength: frame.pixels.byteLength,
      release: () => undefined,
    })
    await comparison.sink.accept({
      camera: 'front',
      frameId,
      capturedAtMs: 0,
      sourceWidth: 32,
      sourceHeight: 32,
      identity: { model: 'm', version: '2.0.0', variant: 'v' },
      classNames: ['thing'],
      detections: detections.map((each) => ({ ...each, classIndex })),
      timings: { ...timings, waitMs: 0, totalMs: 0 },
    })
    await clock.sleep(1000)
    await systemClock.sleep(30)
  }
  const agreement = await comparison.end()
  await comparison.close()
  return agreement
}

t.test('the same models agree, models that mean other classes do not', async (t) => {
  t.equal(await agreementOf(0), 1)
  t.equal(await agreementOf(1), 0)
})

t.test('a model before that cannot be opened, or too few objects, prove nothing', async (t) => {
  const broken = comparisonWith(() => Promise.reject(new TypeError('gone')))
  await broken.begin()
  t.equal(await broken.end(), undefined)
  const idle = comparisonWith(tiny)
  await idle.begin()
  t.equal(await idle.end(), undefined)
  await idle.close()
})

t.test('the model before is opened once for all windows of a watch', async (t) => {
  let opened = 0
  const comparison = comparisonWith(() => {
    opened++
    return tiny()
  })
  for (let window = 0; window < 3; window++) {
    await comparison.begin()
    await comparison.end()
  }
  await comparison.close()
  t.equal(opened, 1)
  await comparison.begin()
  await comparison.close()
  t.equal(opened, 2)
})
