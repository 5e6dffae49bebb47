/**
 * Trials in a worker thread of the agent: loads a variant, warms it up, measures it, and lets it go.
 * Invariant: the serving model is not touched; a variant that cannot be measured is a result, not an exception.
 */

import { availableParallelism } from 'node:os'
import type { Clock } from '../base/clock.js'
import { wrapError } from '../base/errors.js'
import { Histogram } from '../base/histogram.js'
import type { Config } from '../config/config.js'
import type { HardwareProfile } from '../hardware/detect-hardware.js'
import type { Variant } from '../protocol/manifest.js'
import { openDetector } from '../runtime/detector.js'
import type { Store } from '../store/store.js'
import { letterbox } from '../yolo/letterbox.js'
import type { DeviceProfile, TrialRequest, TrialResult, Trials } from '../update/ports.js'
import { describeModelFile } from './serving/describe-model.js'
import { sessionOptionsOf } from './serving/open-served-model.js'

export interface WorkerTrialsOptions {
  readonly store: Store
  readonly config: Config
  readonly clock: Clock
  readonly hardware: HardwareProfile
}

export function workerTrials(options: WorkerTrialsOptions): Trials {
  const { config } = options
  return {
    profile: () => Promise.resolve(profileOf(options)),
    conditions: (variant) =>
      Promise.resolve(
        JSON.stringify([config.inference, availableParallelism(), process.versions.node, variant.id]),
      ),
    measure: (request) => measure(options, request),
    measureActive: () => Promise.resolve(undefined),
  }
}

function profileOf({ config, hardware }: WorkerTrialsOptions): DeviceProfile {
  const { cpu, board, condition, int8Targets } = hardware
  return {
    kinds: ['onnx'],
    providers: config.inference.providers,
    cpuFeatures: cpu.features,
    int8Targets,
    encodings: ['none', 'br', 'gzip'],
    memoryBytes: condition.memoryAvailableBytes,
    ...(board.chip !== undefined && { chip: board.chip }),
    platformRuntimes: {},
  }
}

async function measure(options: WorkerTrialsOptions, request: TrialRequest): Promise<TrialResult> {
  const { variant } = request
  try {
    return await measureFile(options, request)
  } catch (thrown) {
    const { code, message } = wrapError(thrown, 'inference.load_failed', `cannot try variant ${variant.id}`)
    return { state: 'failed', error: { code, message } }
  }
}

async function measureFile(
  { store, config, clock }: WorkerTrialsOptions,
  request: TrialRequest,
): Promise<TrialResult> {
  const { variant, signal } = request
  const path = store.blobs.pathOf(variant.artefact.sha256)
  const description = await describeModelFile(path)
  const before = process.memoryUsage.rss()
  const detector = await openDetector({ path, description }, sessionOptionsFor(config, variant))
  try {
    const { inputWidth: width, inputHeight: height } = description
    const pixels = new SharedArrayBuffer(width * height * 3)
    const frame = { pixels, byteOffset: 0, letterbox: letterbox({ width, height }, { width, height }) }
    const latency = new Histogram()
    const { trialRuns } = config.selection
    const { conf, iou, maxDet } = config.inference
    for (let run = 0; run < trialRuns && !signal.aborted; run++) {
      const startMs = clock.monotonicMs()
      await detector.detect(frame, { conf, iou, maxDet, multiLabel: false })
      latency.record(clock.monotonicMs() - startMs)
      request.onProgress((run + 1) / trialRuns)
    }
    const memoryBytes = Math.max(0, process.memoryUsage.rss() - before)
    return { state: 'measured', provider: detector.provider, latency: latency.summary(), memoryBytes }
  } finally {
    await detector.close()
  }
}

/** As it would serve, but behind the serving model. */
function sessionOptionsFor(config: Config, variant: Variant): ReturnType<typeof sessionOptionsOf> {
  return { ...sessionOptionsOf(config.inference, variant), niceness: 10 }
}
