import t from 'tap'
import { readFile, writeFile } from 'node:fs/promises'
import { openDetector } from '../../src/runtime/detector.js'
import { letterbox } from '../../src/yolo/letterbox.js'
import { predictionOptions } from '../../src/yolo/detection.js'
import { plainFrame, tinyDetector } from '../helpers/tiny-detector.js'

for (const layout of ['nchw-float', 'nhwc-uint8'] as const) {
  t.test(`a ${layout} model sees exactly the pixels of the slot`, async (t) => {
    const detector = await openDetector(tinyDetector({ layout }))
    for (const value of [255, 128, 200]) {
      const { detections, timings } = await detector.detect(plainFrame(32, value, 7), predictionOptions)
      t.equal(detections.length, 1)
      const [found] = detections
      t.ok(Math.abs(found!.score - value / 255) < 1e-5, `score ${found!.score} is the brightness ${value}`)
      t.same([found!.x1, found!.y1, found!.x2, found!.y2], [12, 12, 20, 20])
      t.ok(timings.preprocessMs >= 0 && timings.inferenceMs > 0 && timings.decodeMs >= 0)
    }
    await detector.close()
  })
}

t.test('boxes come back in pixels of the original picture', async (t) => {
  const detector = await openDetector(tinyDetector())
  const frame = plainFrame(32, 255)
  const wide = { ...frame, letterbox: letterbox({ width: 320, height: 160 }, { width: 32, height: 32 }) }
  const { detections } = await detector.detect(wide, predictionOptions)
  t.match(detections, [{ classIndex: 0, x1: 120, y1: 40, x2: 200, y2: 120 }])
  await detector.close()
})

t.test('calls that are not awaited do not mix their pixels', async (t) => {
  const detector = await openDetector(tinyDetector())
  const values = [80, 120, 160, 200, 240]
  const results = await Promise.all(
    values.map((value) => detector.detect(plainFrame(32, value), predictionOptions)),
  )
  t.same(
    results.map(({ detections }) => Math.round(detections[0]!.score * 255)),
    values,
  )
  await detector.close()
})

t.test('a model loads from a file as well, and says how long that and the warm-up took', async (t) => {
  const { bytes, description } = tinyDetector()
  const path = `${t.testdir()}/model.onnx`
  await writeFile(path, bytes)
  const detector = await openDetector({ path, description }, { warmUpRuns: 3 })
  t.equal(detector.provider, 'cpu')
  t.equal(detector.info.warmUp.runs, 3)
  t.ok(detector.info.loadMs > 0 && detector.info.warmUp.lastMs > 0)
  t.equal((await readFile(path)).length, bytes.length)
  await detector.close()
})

t.test('a file that is not there is named', async (t) => {
  const { description } = tinyDetector()
  await t.rejects(openDetector({ path: '/nowhere/model.onnx', description }), {
    code: 'model.file_unreadable',
    message: /\/nowhere\/model\.onnx/,
  })
})

t.test('a description that is not of this model is refused when it is opened', async (t) => {
  const { bytes, description } = tinyDetector()
  await t.rejects(openDetector({ bytes, description: { ...description, inputName: 'frames' } }), {
    code: 'inference.load_failed',
    message: /frames/,
  })
  await t.rejects(openDetector({ bytes, description: { ...description, inputLayout: 'nhwc-uint8' } }), {
    code: 'inference.load_failed',
    message: /uint8/,
  })
  await t.rejects(openDetector({ bytes, description: { ...description, inputWidth: 64, inputHeight: 64 } }), {
    code: 'inference.run_failed',
    message: /64/,
  })
})

t.test('outputs that are not numbers are an error, not a picture without objects', async (t) => {
  const detector = await openDetector(tinyDetector({ divisor: 0 }))
  const frame = plainFrame(32, 0)
  await t.rejects(detector.detect(frame, predictionOptions), {
    code: 'inference.output_invalid',
    message: /output0/,
  })
  await detector.close()
})

t.test('when the thread dies, calls under way and later calls fail', async (t) => {
  const detector = await openDetector(tinyDetector())
  const calls = [1, 2, 3].map(() => detector.detect(plainFrame(32, 255), predictionOptions))
  const outcomes = Promise.allSettled(calls)
  await detector.terminate()
  for (const outcome of await outcomes) {
    t.match(outcome, { status: 'rejected', reason: { code: 'inference.worker_died' } })
  }
  await t.rejects(detector.detect(plainFrame(32, 255), predictionOptions), { code: 'inference.worker_died' })
  await detector.close()
})

t.test('a frame that is smaller than the input is a programming error', async (t) => {
  const detector = await openDetector(tinyDetector({ size: 64 }))
  t.throws(() => detector.detect(plainFrame(32, 255), predictionOptions), {
    code: 'internal.invariant_broken',
  })
  await detector.close()
})
