/**
 * A library named by its path against the Node binding over the same library file: latency in turns, and memory over many
 * runs. Fails when the medians differ by more than 2 % on a quiet machine, or when memory grows.
 *
 *     node dist/test/bench/native-library.js [frames] [runs]
 */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { importModel } from '../../src/onnx/import-model.js'
import { openDetector } from '../../src/runtime/detector.js'
import { openTensorSession } from '../../src/runtime/tensor-session.js'
import { predictionOptions } from '../../src/yolo/detection.js'
import { describeModel } from '../../src/yolo/model-description.js'
import { watchForeignLoad } from '../helpers/foreign-load.js'
import { shared } from '../helpers/paths.js'
import { plainFrame } from '../helpers/tiny-detector.js'
import { elementwiseModel } from '../helpers/tiny-model.js'

const frames = Number(process.argv[2] ?? 40)
const runs = Number(process.argv[3] ?? 10_000)
const QUIET = 0.2
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
const ratio = quantile(times.native, 0.5) / quantile(times.binding, 0.5)
console.log(`median ratio ${ratio.toFixed(3)}; others used ${(share * 100).toFixed(0)} % of the machine`)

const session = await openTensorSession(elementwiseModel('Add', [64, 64]), { library })
const tensor = { type: 'float32', dims: [64, 64], data: new Float32Array(4096).fill(1) } as const
const feeds = new Map([
  ['x', tensor],
  ['y', tensor],
])
const residentMb: number[] = []
for (let run = 0; run < runs; run++) {
  await session.run(feeds)
  residentMb.push(process.memoryUsage.rss() / 1e6)
}
await session.close()
const quarter = Math.floor(runs / 4)
const [early, late] = [
  quantile(residentMb.slice(quarter, 2 * quarter), 0.5),
  quantile(residentMb.slice(-quarter), 0.5),
]
console.log(
  `${runs} runs: ${early.toFixed(0)} MB resident in the second quarter, ${late.toFixed(0)} MB in the last`,
)
if ((share < QUIET && Math.abs(ratio - 1) > 0.02) || late > early * 1.05) {
  console.error('the library named by its path is slower than the binding, or memory grew')
  process.exitCode = 1
}
