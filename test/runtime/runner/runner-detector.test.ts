import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Detector } from '../../../src/runtime/detector.js'
import {
  openRunnerDetector,
  probeRunner,
  runnerDescription,
} from '../../../src/runtime/runner/runner-detector.js'
import { predictionOptions } from '../../../src/yolo/detection.js'
import { projectRoot } from '../../helpers/paths.js'
import { plainFrame } from '../../helpers/tiny-detector.js'

const command = [
  process.execPath,
  join(projectRoot, 'dist', 'test', 'helpers', 'reference-runner.js'),
  'abacus',
  '2.1.0',
]
const description = runnerDescription({ width: 64, height: 64 }, ['thing'])

async function open(t: Test, kind: string): Promise<Detector> {
  const path = join(t.testdir({}), 'model.hef')
  writeFileSync(path, JSON.stringify({ kind }))
  const detector = await openRunnerDetector(command, { path, description })
  t.teardown(() => detector.close())
  return detector
}

t.test('a runner says what it is', async (t) => {
  t.same(await probeRunner(command), { runtime: 'abacus', version: '2.1.0' })
})

t.test('frames go out, boxes come back in pixels of the picture', async (t) => {
  const detector = await open(t, 'brightness')
  t.equal(detector.provider, 'abacus')
  const frames = [255, 128].map((value) => detector.detect(plainFrame(64, value, 12), predictionOptions))
  const [bright, dim] = await Promise.all(frames)
  t.match(bright?.detections, [{ classIndex: 0, score: 1, x1: 24, y1: 24, x2: 40, y2: 40 }])
  t.ok(Math.abs(dim!.detections[0]!.score - 128 / 255) < 1e-9, 'each frame has its own pixels')
  t.same((await detector.detect(plainFrame(64, 10), predictionOptions)).detections, [], 'below conf')
  const wide = {
    ...plainFrame(64, 255),
    letterbox: { ...plainFrame(64, 255).letterbox, sourceWidth: 128, sourceHeight: 128 },
  }
  t.match((await detector.detect(wide, predictionOptions)).detections, [{ x1: 48, x2: 80 }])
})

t.test('whatever a runner does wrong has a code and a sentence', async (t) => {
  const cases = [
    ['garbage', 'inference.output_invalid', /answered I see a box, expected one JSON object a line/],
    ['wild', 'inference.output_invalid', /expected scores 0\.\.1 and classes 0\.\.0/],
    ['other-frame', 'inference.output_invalid', /answered frame 2, expected 1/],
    ['refuse', 'inference.run_failed', /the runner says: too hot/],
    ['crash', 'inference.worker_died', /ended with status 3: the device fell off the bus/],
  ] as const
  for (const [kind, code, message] of cases) {
    const detector = await open(t, kind)
    await t.rejects(detector.detect(plainFrame(64, 255), predictionOptions), { code, message }, kind)
  }
})

t.test('a file, a program and an answer that do not fit are refused at the start', async (t) => {
  const path = join(t.testdir({ 'model.hef': 'HEF' }), 'model.hef')
  await t.rejects(openRunnerDetector(command, { path, description }), {
    code: 'inference.load_failed',
    message: /cannot load .*model\.hef: the runner says: not a file of this runner/,
  })
  await t.rejects(probeRunner(['/no/such/runner']), {
    code: 'inference.provider_unavailable',
    message: /cannot start runner \/no\/such\/runner/,
  })
  await t.rejects(probeRunner([process.execPath, '-e', 'console.log("{}")']), {
    code: 'inference.output_invalid',
    message: /expected {"hello":1/,
  })
})

t.test('after terminate every call fails, and the process is gone', async (t) => {
  const detector = await open(t, 'brightness')
  await detector.terminate()
  await t.rejects(detector.detect(plainFrame(64, 255), predictionOptions), { code: 'inference.worker_died' })
})
