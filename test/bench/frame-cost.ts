/**
 * What a frame costs besides inference: bringing its pixels in, decoding what comes out, messages between the threads.
 * Models take turns: the float export, its edge form, and further files; each over the Node binding and over the same library
 * named by its path.
 *
 *     npm run bench -- frame-cost [--frames 100] [--threads 1] [MODEL.onnx ...]
 */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { quantileOf } from '../../src/base/numeric.js'
import { noiseFrames } from '../../src/cli/measure/speed-frames.js'
import { toEdgeForm } from '../../src/compress/edge-form.js'
import { exportModel } from '../../src/onnx/export-model.js'
import { importModel } from '../../src/onnx/import-model.js'
import { openDetector } from '../../src/runtime/detector.js'
import { predictionOptions } from '../../src/yolo/detection.js'
import { describeModel } from '../../src/yolo/model-description.js'
import { shared } from '../helpers/paths.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    frames: { type: 'string', default: '100' },
    threads: { type: 'string', default: '1' },
  },
})
const library = join(
  dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json')),
  `bin/napi-v6/linux/${process.arch}/libonnxruntime.so.1`,
)
const warmUpFrames = 5
const parts = ['whole', 'pixels', 'inference', 'decoding', 'messages'] as const

const float = readFileSync(shared('models', 'yolov8n.onnx'))
const files: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ['float export', float],
  ['float edge form', exportModel(toEdgeForm(importModel(float)))],
  ...positionals.map((path) => [basename(path, '.onnx'), readFileSync(path)] as const),
]
const lanes = await Promise.all(
  files.flatMap(([name, bytes]) => {
    const model = { bytes, description: describeModel(importModel(bytes)) }
    const session = { intraOpThreads: Number(values.threads), allowSpinning: false, niceness: 0 }
    return (
      [
        ['binding', session],
        ['library', { ...session, library }],
      ] as const
    ).map(async ([backend, options]) => ({
      name,
      backend,
      detector: await openDetector(model, options),
      frame: (await noiseFrames(model))[0]!,
      times: parts.map((): number[] => []),
    }))
  }),
)

const frames = Number(values.frames)
for (let turn = -warmUpFrames; turn < frames; turn++) {
  for (const { detector, frame, times } of lanes) {
    const startMs = performance.now()
    const { timings } = await detector.detect(frame, predictionOptions)
    const wholeMs = performance.now() - startMs
    const { preprocessMs, inferenceMs, decodeMs } = timings
    const messagesMs = wholeMs - preprocessMs - inferenceMs - decodeMs
    const measured = [wholeMs, preprocessMs, inferenceMs, decodeMs, messagesMs]
    if (turn >= 0) for (const [index, ms] of measured.entries()) times[index]!.push(ms)
  }
}
for (const { detector } of lanes) await detector.close()

console.log(`${frames} frames, ${values.threads} threads; medians in milliseconds`)
console.log('model                     backend '.concat(...parts.map((part) => part.padStart(11))))
for (const { name, backend, times } of lanes) {
  const medians = times.map((each) => quantileOf(each, 0.5).toFixed(3).padStart(11))
  console.log(`${name.padEnd(25)} ${backend.padEnd(8)}`.concat(...medians))
}
