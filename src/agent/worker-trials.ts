/**
 * Trials in a worker thread of the agent: loads a variant, warms it up, measures it, and lets it go.
 * Invariant: the serving model is not touched; a variant that cannot be measured is a result, not an exception.
 */

import { availableParallelism } from 'node:os'
import type { Clock } from '../base/clock.js'
import { wrapError } from '../base/errors.js'
import { Histogram } from '../base/histogram.js'
import type { Config } from '../config/config.js'
import type { HardwareProfile } from '../hardware/hardware-profile.js'
import { openDetector } from '../runtime/detector.js'
import type { Store } from '../store/store.js'
import { letterbox } from '../yolo/letterbox.js'
import type { DeviceProfile, TrialRequest, TrialResult, Trials } from '../update/ports.js'
import { describeModelFile } from './serving/describe-model.js'
import { sessionOptionsOf } from './serving/open-served-model.js'

export interface WorkerTrialsOptions {
  readonly store: Store
  readonly selection: Config['selection']
  /** With the execution providers that work here. */
  readonly inference: Config['inference']
  readonly clock: Clock
  readonly hardware: HardwareProfile
}

export function workerTrials(options: WorkerTrialsOptions): Trials {
  return {
    profile: () => Promise.resolve(profileOf(options)),
    conditions: (variant) =>
      Promise.resolve(
        JSON.stringify([options.inference, availableParallelism(), process.versions.node, variant.id]),
      ),
    measure: (request) => measure(options, request),
    measureActive: () => Promise.resolve(undefined),
  }
}

function profileOf({ inference, hardware }: WorkerTrialsOptions): DeviceProfile {
  const { cpu, board, condition, int8Targets } = hardware
  return {
    kinds: inference.providers.length === 0 ? [] : ['onnx'],
    providers: inference.providers,
    cpuFeatures: cpu.features,
    int8Targets,
    encodings: ['none', 'br', 'gzip'],
    memoryBytes: condition.memoryAvailableBytes,
    ...(board.chip !== undefined && { chip: board.chip }),
    platformRuntimes: hardware.platformRuntimes,
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
  { store, selection, inference, clock }: WorkerTrialsOptions,
  request: TrialRequest,
): Promise<TrialResult> {
  const { variant, signal } = request
  const path = store.blobs.pathOf(variant.artefact.sha256)
  const description = await describeModelFile(path)
  const before = process.memoryUsage.rss()
  const detector = await openDetector(
    { path, description },
    {
      ...sessionOptionsOf(inference, variant),
      // Behind the serving model.
      niceness: 10,
    },
  )
  try {
    const { inputWidth: width, inputHeight: height } = description
    const pixels = new SharedArrayBuffer(width * height * 3)
    const frame = { pixels, byteOffset: 0, letterbox: letterbox({ width, height }, { width, height }) }
    const latency = new Histogram()
    const { trialRuns } = selection
    const { conf, iou, maxDet } = inference
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
