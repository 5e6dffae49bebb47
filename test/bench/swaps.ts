/**
 * Swaps the model again and again while frames flow. Fails when a frame is lost, answered twice or fails, when a model
 * stays in memory, or when the memory of the process grows.
 *
 *     node dist/test/bench/swaps.js [swaps] [model]          a tiny model unless one is named
 */

import { readFileSync } from 'node:fs'
import { systemClock } from '../../src/base/clock.js'
import { silentLogger } from '../../src/base/logger.js'
import { seededRandom } from '../../src/base/random.js'
import { importModel } from '../../src/onnx/import-model.js'
import type { FrameResult } from '../../src/pipeline/frame-result.js'
import { type LoadedModel, ModelSlot } from '../../src/pipeline/model-slot.js'
import { Pipeline } from '../../src/pipeline/pipeline.js'
import { openDetector } from '../../src/runtime/detector.js'
import { predictionOptions } from '../../src/yolo/detection.js'
import { describeModel } from '../../src/yolo/model-description.js'
import { MemorySupply } from '../helpers/memory-supply.js'
import { tinyDetector } from '../helpers/tiny-detector.js'

const swaps = Number(process.argv[2] ?? 1000)
const path = process.argv[3]
/** Frames that a model serves at the least before the next one takes over. */
const framesPerModel = 2
/** The first part, in which caches fill, is not compared; then quarters are. */
const grownMax = 1.1

const model =
  path === undefined
    ? tinyDetector({ size: 64 })
    : { bytes: readFileSync(path), description: describeModel(importModel(readFileSync(path))) }

async function open(version: number): Promise<LoadedModel> {
  const detector = await openDetector(model, { warmUpRuns: 1 })
  return { detector, identity: { model: 'm', version: `1.0.${version}`, variant: 'v' } }
}

const seen = { frames: 0, errors: 0, lost: 0, lastId: -1, versions: new Set<string>() }
let waiting: { readonly frames: number; readonly resolve: () => void } | undefined

function accept({ frameId, identity }: FrameResult): Promise<void> {
  seen.frames++
  seen.versions.add(identity.version)
  if (frameId !== seen.lastId + 1) seen.lost++
  seen.lastId = frameId
  if (waiting !== undefined && seen.frames >= waiting.frames) waiting.resolve()
  return Promise.resolve()
}

function moreFrames(count: number): Promise<void> {
  const frames = seen.frames + count
  return new Promise((resolve) => {
    waiting = { frames, resolve }
  })
}

const slot = new ModelSlot(await open(0))
const pipeline = new Pipeline({
  camera: 'memory',
  openSupply: (size) => Promise.resolve(new MemorySupply({ size, value: () => 200 })),
  slot,
  sinks: [{ name: 'count', accept }],
  detection: predictionOptions,
  maxFps: 0,
  sinkQueueSize: 1000,
  errorsInRowMax: 1,
  onPersistentError: (error) => {
    throw error
  },
  clock: systemClock,
  random: seededRandom(1),
  logger: silentLogger,
})
const running = pipeline.run()
const residentMb: number[] = []
const startMs = performance.now()
for (let swap = 1; swap <= swaps; swap++) {
  await slot.swap(await open(swap))
  await moreFrames(framesPerModel)
  residentMb.push(process.memoryUsage.rss() / 1e6)
  if (swap % Math.ceil(swaps / 10) === 0)
    console.log(`${swap} swaps, ${seen.frames} frames, ${residentMb.at(-1)!.toFixed(0)} MB resident`)
}
const seconds = (performance.now() - startMs) / 1000
await pipeline.stop()
await running
const stats = pipeline.takeStats()
await slot.close()

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
const quarter = Math.floor(swaps / 4)
const [second, last] = [median(residentMb.slice(quarter, 2 * quarter)), median(residentMb.slice(-quarter))]
console.log(
  `${swaps} swaps in ${seconds.toFixed(0)} s; ${seen.frames} frames by ${seen.versions.size} models: ` +
    `${seen.lost} lost, ${stats.errors} failed, ${stats.dropped} dropped; ` +
    `resident memory ${second.toFixed(0)} MB in the second quarter, ${last.toFixed(0)} MB in the last`,
)
const isFaulty = seen.lost + stats.errors + stats.dropped > 0 || seen.versions.size !== swaps + 1
if (isFaulty || last > second * grownMax) {
  console.error('frames were lost or failed, a model did not serve, or memory grew')
  process.exitCode = 1
}
