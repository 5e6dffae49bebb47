/**
 * A library named by its path against the Node binding over the same library file: latency in turns, and memory over many
 * runs. Fails when it is slower by more than 2 % on a quiet machine, or when memory grows more than with the
 * binding.
 *
 *     node dist/test/bench/native-library.js [frames] [runs]
 */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { importModel } from '../../src/onnx/import-model.js'
import { openDetector } from '../../src/runtime/detector.js'
import type { SessionOptions } from '../../src/runtime/session-options.js'
import { predictionOptions } from '../../src/yolo/detection.js'
import { describeModel } from '../../src/yolo/model-description.js'
import { watchForeignLoad } from '../helpers/foreign-load.js'
import { shared } from '../helpers/paths.js'
import { plainFrame, tinyDetector } from '../helpers/tiny-detector.js'

const frames = Number(process.argv[2] ?? 100)
const runs = Number(process.argv[3] ?? 10_000)
const QUIET = 0.2
const growthMbMax = 5
const library = join(
  dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json')),
  `bin/napi-v6/linux/${process.arch}/libonnxruntime.so.1`,
)
const path = shared('models', 'yolov8n.onnx')
const model = { path, description: describeModel(importModel(readFileSync(path))) }
const detectors = { binding: await openDetector(model), native: await openDetector(model, { library }) }
const times = { binding: [] as number[], native: [] as number[] }
const frame = plainFrame(model.description.inputWidth, 114)
const others = watchForeignLoad()
for (let turn = 0; turn < frames; turn++) {
  for (const name of turn % 2 === 0 ? (['binding', 'native'] as const) : (['native', 'binding'] as const)) {
    const { timings } = await detectors[name].detect(frame, predictionOptions)
    times[name].push(timings.inferenceMs)
  }
}
const share = others()
await Promise.all(Object.values(detectors).map((detector) => detector.close()))

const quantile = (values: readonly number[], part: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * part)]!
for (const [name, values] of Object.entries(times))
  console.log(
    `${name.padEnd(8)} min ${quantile(values, 0).toFixed(1)} ms, median ${quantile(values, 0.5).toFixed(1)} ms`,
  )
// Neighbours in time: what disturbs one disturbs the other.
const ratio = quantile(
  times.native.map((ms, turn) => ms / times.binding[turn]!),
  0.5,
)
console.log(
  `median ratio of neighbours ${ratio.toFixed(3)}; others used ${(share * 100).toFixed(0)} % of the machine`,
)

interface Growth {
  readonly early: number
  readonly late: number
}

/** Resident memory in MB over `runs` runs: medians of the second and of the last quarter. */
async function growthOf(options: SessionOptions): Promise<Growth> {
  const detector = await openDetector(tinyDetector({ size: 64 }), { intraOpThreads: 1, ...options })
  const small = plainFrame(64, 200)
  const residentMb = new Float64Array(runs)
  for (let run = 0; run < runs; run++) {
    await detector.detect(small, predictionOptions)
    residentMb[run] = process.memoryUsage.rss() / 1e6
  }
  await detector.close()
  const quarter = Math.floor(runs / 4)
  return {
    early: quantile([...residentMb.subarray(quarter, 2 * quarter)], 0.5),
    late: quantile([...residentMb.subarray(-quarter)], 0.5),
  }
}

const growths = { native: await growthOf({ library }), binding: await growthOf({}) }
for (const [name, { early, late }] of Object.entries(growths))
  console.log(
    `${name.padEnd(8)} ${runs} runs: ${early.toFixed(0)} MB resident in the second quarter, ${late.toFixed(0)} MB in the last`,
  )
// What both grow by is the garbage collector's: it keeps pages for later.
const growth = growths.native.late - growths.native.early - (growths.binding.late - growths.binding.early)
if ((share < QUIET && ratio > 1.02) || growth > growthMbMax) {
  console.error('the library named by its path is slower than the binding by more than 2 %, or memory grew')
  process.exitCode = 1
}
