import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t, { type Test } from 'tap'
import type { TrialOrder } from '../../../src/agent/trial/messages.js'
import {
  runTrialProcess,
  type TrialOutcome,
  type TrialRun,
} from '../../../src/agent/trial/run-trial-process.js'
import { systemClock } from '../../../src/base/clock.js'
import { encodeGolden, type GoldenObject } from '../../../src/protocol/golden.js'
import { predictionOptions } from '../../../src/yolo/detection.js'
import { until } from '../../helpers/broker.js'
import { projectRoot } from '../../helpers/paths.js'
import { tinyDetector, type TinyDetectorOptions } from '../../helpers/tiny-detector.js'

const size = 32
/** Where the tiny detector always sees its object. */
const seen: GoldenObject = { classIndex: 0, x1: 12, y1: 12, x2: 20, y2: 20, area: 64, crowd: false }

function orderOf(t: Test, bytes: Uint8Array, more: Partial<TrialOrder> = {}): TrialOrder {
  const modelPath = join(t.testdir(), 'model.onnx')
  writeFileSync(modelPath, bytes)
  return {
    modelPath,
    goldenPath: undefined,
    session: { intraOpThreads: 1, niceness: 10 },
    runner: undefined,
    expectedBuildMs: 0,
    detection: predictionOptions,
    runs: 5,
    expected: { classCount: 1, width: size, height: size },
    ...more,
  }
}

function tiny(t: Test, options: TinyDetectorOptions = {}, more: Partial<TrialOrder> = {}): TrialOrder {
  return orderOf(t, tinyDetector({ size, ...options }).bytes, more)
}

async function goldenFile(t: Test, brightness: number, objects: readonly GoldenObject[]): Promise<string> {
  const picture = sharp({
    create: {
      width: size,
      height: size,
      channels: 3,
      background: `rgb(${brightness},${brightness},${brightness})`,
    },
  })
  const bytes = await picture.png().toBuffer()
  const path = join(t.testdirName, 'golden')
  writeFileSync(path, encodeGolden({ dataset: 'golden', pictures: [{ name: 'a.png', bytes, objects }] }))
  return path
}

function run(order: TrialOrder, more: Partial<TrialRun> = {}): Promise<TrialOutcome> {
  return runTrialProcess(order, {
    limits: { stallMs: 60_000, memoryBytes: 8e9 },
    clock: systemClock,
    signal: new AbortController().signal,
    onProgress: () => undefined,
    ...more,
  })
}

/** Process ids of trial processes that this process started. */
function trialProcesses(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const isTrial = readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('trial-process.js')
        return isTrial && readFileSync(`/proc/${pid}/status`, 'utf8').includes(`\nPPid:\t${process.pid}\n`)
      } catch {
        return false
      }
    })
    .map(Number)
}

t.afterEach(() => {
  t.same(trialProcesses(), [], 'no trial process is left')
})

t.test('a model is measured: latency, memory, and progress up to the end', async (t) => {
  const progress: number[] = []
  const outcome = await run(tiny(t), { onProgress: (value) => progress.push(value) })
  t.match(outcome, { state: 'measured', findings: { provider: 'cpu', latency: { count: 5 } } })
  if (outcome.state !== 'measured') return
  const { latency, memoryBytes, accuracy } = outcome.findings
  t.ok(latency.p50Ms > 0 && latency.p50Ms <= latency.p95Ms)
  t.ok(memoryBytes > 0)
  t.equal(accuracy, undefined, 'no golden set, no accuracy')
  t.ok(progress.every((value, index) => index === 0 || value >= progress[index - 1]!))
})

t.test('accuracy comes from the golden set', async (t) => {
  const right = tiny(t)
  const goldenPath = await goldenFile(t, 255, [seen])
  const outcome = await run({ ...right, goldenPath })
  t.match(outcome, { findings: { accuracy: { images: 1, dataset: 'golden' } } })
  t.ok(outcome.state === 'measured' && outcome.findings.accuracy!.map > 0.999)
  const elsewhere = { ...seen, x1: 0, y1: 0, x2: 5, y2: 5, area: 25 }
  t.match(await run({ ...right, goldenPath: await goldenFile(t, 255, [elsewhere]), runs: 0 }), {
    findings: { accuracy: { map: 0 } },
  })
})

t.test('a model that finds nothing at all fails', async (t) => {
  const order = tiny(t)
  t.match(await run({ ...order, goldenPath: await goldenFile(t, 0, [seen]) }), {
    state: 'failed',
    error: { code: 'inference.output_invalid', message: /finds nothing in 1 golden pictures with 1 objects/ },
  })
})

t.test('outputs that are not numbers fail', async (t) => {
  t.match(await run(tiny(t, { divisor: 0 })), {
    state: 'failed',
    error: { code: 'inference.output_invalid', message: /not finite/ },
  })
})

t.test('a model of another size or with other classes than its manifest says fails', async (t) => {
  t.match(await run(tiny(t, {}, { expected: { classCount: 1, width: 640, height: 640 } })), {
    error: { code: 'model.not_yolov8', message: /takes 32x32 pixels, its manifest says 640x640/ },
  })
  t.match(await run(tiny(t, {}, { expected: { classCount: 80, width: size, height: size } })), {
    error: { code: 'model.labels_invalid', message: /has 1 classes, its manifest names 80/ },
  })
})

t.test('a file that is no model fails', async (t) => {
  const outcome = await run(orderOf(t, Buffer.from('not a model')))
  t.match(outcome, { state: 'failed', error: { code: /^model\./ } })
})

t.test('a model that takes more memory than is allowed is ended', async (t) => {
  // 20,000 x 20,000 floats are 1.6 GB.
  const order = tiny(t, { burden: { side: 20_000, products: 0 } })
  t.match(await run(order, { limits: { stallMs: 60_000, memoryBytes: 600e6 } }), {
    state: 'failed',
    error: { code: 'resource.memory_exhausted', message: /600 MB are allowed/ },
  })
})

t.test('memory that a model really takes is counted', async (t) => {
  // 4,000 x 4,000 floats are 64 MB, at least two of them live at the same time.
  const heavy = await run(tiny(t, { burden: { side: 4_000, products: 0 } }, { runs: 1 }))
  t.ok(heavy.state === 'measured' && heavy.findings.memoryBytes > 64e6)
})

t.test('a model that does not come to an end is ended', async (t) => {
  // Two hundred products of matrices with 3,000 x 3,000: 10^13 operations a frame.
  const order = tiny(t, { burden: { side: 3_000, products: 200 } })
  t.match(await run(order, { limits: { stallMs: 3_000, memoryBytes: 8e9 } }), {
    state: 'failed',
    error: { code: 'inference.run_failed', message: /no progress for 3 s/ },
  })
})

t.test('a process that dies in the middle is a result with its signal', async (t) => {
  const order = tiny(t, { burden: { side: 1_000, products: 10 } }, { runs: 10_000 })
  const onProgress = (): void => {
    for (const pid of trialProcesses()) process.kill(pid, 'SIGSEGV')
  }
  t.match(await run(order, { onProgress }), {
    state: 'failed',
    error: { code: 'inference.worker_died', message: /by SIGSEGV/ },
  })
})

t.test('a trial that is not wanted any more ends at once', async (t) => {
  const wanted = new AbortController()
  const outcome = run(tiny(t, { burden: { side: 3_000, products: 200 } }), { signal: wanted.signal })
  await until(() => trialProcesses().length === 1)
  wanted.abort()
  t.match(await outcome, { state: 'failed', error: { code: 'deployment.run_interrupted' } })
  t.match(await run(tiny(t), { signal: wanted.signal }), { error: { code: 'deployment.run_interrupted' } })
})

const runner = [process.execPath, join(projectRoot, 'dist', 'test', 'helpers', 'reference-runner.js')]

t.test('while an engine is built, progress goes on; that is no sign of life', async (t) => {
  const more = { runner, expectedBuildMs: 2_000 }
  const progress: number[] = []
  const slow = orderOf(t, Buffer.from('{"kind":"slow"}'), more)
  const outcome = await run(slow, { onProgress: (value) => progress.push(value) })
  t.match(outcome, { state: 'measured', findings: { provider: 'abacus' } })
  t.ok(outcome.state === 'measured' && outcome.findings.openMs > 2_000)
  const opening = progress.filter((value) => value < 0.8)
  t.ok(opening.length >= 2, `${opening.join(', ')} while it was opened`)
  t.equal(progress.at(-1), 1)
  t.ok(progress.every((value, index) => index === 0 || value >= progress[index - 1]!))
  const hanging = orderOf(t, Buffer.from('{"kind":"hang"}'), more)
  t.match(await run(hanging, { limits: { stallMs: 3_000, memoryBytes: 8e9 } }), {
    state: 'failed',
    error: { code: 'inference.run_failed', message: /no progress for 3 s/ },
  })
})
