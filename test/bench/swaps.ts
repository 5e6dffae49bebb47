/**
 * Swaps the model again and again while frames flow at full speed from a frame ring that loses none.
 * Fails when a frame is lost, answered twice or fails, when a model did not serve, or when the process grows.
 *
 *     node dist/test/bench/swaps.js [swaps] [model]          the smallest model of the project unless one is named
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.js'
import { silentLogger } from '../../src/base/logger.js'
import { seededRandom } from '../../src/base/random.js'
import { openSource } from '../../src/camera/open-source.js'
import { importModel } from '../../src/onnx/import-model.js'
import type { FrameResult } from '../../src/pipeline/frame-result.js'
import { type LoadedModel, ModelSlot } from '../../src/pipeline/model-slot.js'
import { Pipeline } from '../../src/pipeline/pipeline.js'
import { openDetector } from '../../src/runtime/detector.js'
import { predictionOptions } from '../../src/yolo/detection.js'
import { describeModel } from '../../src/yolo/model-description.js'
import { projectRoot } from '../helpers/paths.js'

const swaps = Number(process.argv[2] ?? 1000)
const path = process.argv[3] ?? join(projectRoot, 'models', 'parts', 'parts-pruned-int8.onnx')
/** Frames that a model serves at the least before the next one takes over. */
const framesPerModel = 2
const slotCount = 4
/** Resident memory at the end may be so much of what it was after this swap. */
const settledAfter = 10
const grownMax = 1.15

const bytes = readFileSync(path)
const model = { bytes, description: describeModel(importModel(bytes)) }

async function open(version: number): Promise<LoadedModel> {
  const detector = await openDetector(model, { warmUpRuns: 1, intraOpThreads: 1 })
  return { detector, identity: { model: 'm', version: `1.0.${version}`, variant: 'v' } }
}

const seen = {
  frames: 0,
  missing: 0,
  twice: 0,
  lastId: -1,
  longestGapMs: 0,
  lastMs: 0,
  versions: new Set<string>(),
}
let waiting: { readonly frames: number; readonly resolve: () => void } | undefined

function accept({ frameId, identity }: FrameResult): Promise<void> {
  const nowMs = performance.now()
  if (seen.frames > 0) seen.longestGapMs = Math.max(seen.longestGapMs, nowMs - seen.lastMs)
  seen.lastMs = nowMs
  seen.frames++
  seen.versions.add(identity.version)
  if (seen.lastId >= 0 && frameId > seen.lastId + 1) seen.missing += frameId - seen.lastId - 1
  if (frameId <= seen.lastId) seen.twice++
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
  camera: 'front',
  openSupply: ({ width, height }) =>
    openSource({ uri: 'synthetic', inputWidth: width, inputHeight: height, mode: 'every-frame', slotCount }),
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
  if (swap === settledAfter || swap % Math.ceil(swaps / 10) === 0)
    console.log(`${swap} swaps, ${seen.frames} frames, ${residentMb.at(-1)!.toFixed(0)} MB resident`)
}
const seconds = (performance.now() - startMs) / 1000
await pipeline.stop()
await running
const { captured, dropped, errors } = pipeline.takeStats()
await slot.close()

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
// A single reading holds whatever the collector has not taken yet.
const settledMb = median(residentMb.slice(settledAfter - 1, settledAfter + 9))
const lastMb = median(residentMb.slice(-10))
const left = captured - seen.frames - dropped - errors
console.log(
  `${swaps} swaps in ${seconds.toFixed(0)} s, ${(seen.frames / seconds).toFixed(0)} frames/s, ${seen.versions.size} models served\n` +
    `${captured} frames captured = ${seen.frames} answered + ${dropped} dropped + ${errors} failed + ${left} in the ring at the end\n` +
    `${seen.missing} frames missing between two answers, ${seen.twice} answered twice; longest time between two answers ${seen.longestGapMs.toFixed(0)} ms\n` +
    `resident memory ${settledMb.toFixed(0)} MB after swap ${settledAfter}, ${lastMb.toFixed(0)} MB at the end: ${((lastMb / settledMb - 1) * 100).toFixed(1)} % (at most ${((grownMax - 1) * 100).toFixed(0)} %)`,
)
const isLossless = seen.missing + seen.twice + errors + dropped === 0 && left >= 0 && left <= slotCount
if (!isLossless || seen.versions.size !== swaps + 1 || lastMb > settledMb * grownMax) {
  console.error('frames were lost or failed, a model did not serve, or memory grew')
  process.exitCode = 1
}
