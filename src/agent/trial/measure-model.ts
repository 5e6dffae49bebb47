/**
 * One model, measured: what it is, how long it takes, how much memory, how well it finds what is in the golden pictures.
 * Runs in the trial process. Invariant: a figure is what was measured, or the whole is an error with a code.
 */

import { readFile } from 'node:fs/promises'
import { noiseFrame, readFrame } from '../../camera/shared-frame.js'
import { invariant } from '../../base/assert.js'
import type { Clock } from '../../base/clock.js'
import { AgentError } from '../../base/errors.js'
import { Histogram } from '../../base/histogram.js'
import { evaluate } from '../../evaluation/evaluate.js'
import { importModel } from '../../onnx/import-model.js'
import { type GoldenSet, parseGolden } from '../../protocol/golden.js'
import type { AccuracyFigures } from '../../protocol/measurement.js'
import { type Detector, type DetectorFrame, openDetector } from '../../runtime/detector.js'
import type { ReferenceRun } from '../../runtime/messages.js'
import { ReferenceLoad } from '../../runtime/reference-load.js'
import { openRunnerDetector, runnerDescription } from '../../runtime/runner/runner-detector.js'
import type { ReferenceFigures } from '../../update/ports.js'
import { validationOptions } from '../../yolo/detection.js'
import { describeModel, type ModelDescription } from '../../yolo/model-description.js'
import type { TrialFindings, TrialMessage, TrialOrder } from './messages.js'
import { beginPeak, readPeak } from './peak-memory.js'
import { referenceFigures } from './reference-figures.js'

/** Pictures that the timed runs take turns with. */
const timedPictures = 8

/** Measures the model of `order`. Throws `model.*`, `inference.*`, `image.decode_failed`, `protocol.*`. */
export async function measureModel(
  order: TrialOrder,
  clock: Clock,
  say: (message: TrialMessage) => void,
): Promise<TrialFindings> {
  const description = await describe(order)
  requireExpected(description, order.expected)
  const golden = order.goldenPath === undefined ? undefined : parseGolden(await readFile(order.goldenPath))
  const frames = await timedFrames(golden, description)
  const beforeBytes = await beginPeak()
  const openingMs = clock.monotonicMs()
  const detector = await open(order, description, clock, say)
  const openMs = clock.monotonicMs() - openingMs
  const openingShare = openingShareOf(order)
  const onProgress = (part: number): void => {
    say({ kind: 'progress', progress: 1 - (1 - openingShare) * (1 - part) })
  }
  try {
    const steps = 1 + order.runs + (golden?.pictures.length ?? 0)
    let done = 0
    const step = (): void => {
      onProgress(++done / steps)
    }
    step()
    const { latency, cpuMs, reference } = await timeRuns(order, detector, { frames, clock, step })
    const memoryBytes = Math.max(0, (await readPeak()) - beforeBytes)
    const accuracy = golden === undefined ? undefined : await accuracyOf(detector, golden, step)
    return {
      provider: detector.provider,
      openMs,
      latency: latency.summary(),
      ...(cpuMs !== undefined && { cpuMs }),
      ...(reference !== undefined && { reference }),
      memoryBytes,
      ...(accuracy !== undefined && { accuracy }),
    }
  } finally {
    await detector.close()
  }
}

/** Of so many timed runs, one more is accompanied by the fixed work, and not counted among the latencies. */
const runsPerReference = 4

interface TimedRuns {
  readonly latency: Histogram
  readonly cpuMs: number | undefined
  readonly reference: ReferenceFigures | undefined
}

interface RunMeans {
  readonly frames: readonly DetectorFrame[]
  readonly clock: Clock
  readonly step: () => void
}

async function timeRuns(
  { runs, detection, session }: TrialOrder,
  detector: Detector,
  { frames, clock, step }: RunMeans,
): Promise<TimedRuns> {
  const latency = new Histogram()
  if (runs === 0) return { latency, cpuMs: undefined, reference: undefined }
  const reference = await ReferenceLoad.open(session.niceness ?? 0)
  try {
    const references: ReferenceRun[] = []
    const beforeMs = await detector.cpuMs?.()
    let detected = 0
    const detect = async (): Promise<void> => {
      await detector.detect(frames[detected++ % frames.length]!, detection)
    }
    for (let run = 0; run < runs; run++) {
      if (run % runsPerReference === 0) {
        const [one] = await Promise.all([reference.run(), detect()])
        references.push(one)
      }
      const startMs = clock.monotonicMs()
      await detect()
      latency.record(clock.monotonicMs() - startMs)
      step()
    }
    const afterMs = await detector.cpuMs?.()
    const isCounted = beforeMs !== undefined && afterMs !== undefined
    return {
      latency,
      cpuMs: isCounted ? (afterMs - beforeMs) / detected : undefined,
      reference: referenceFigures(references),
    }
  } finally {
    await reference.close()
  }
}

/** What the model takes and gives: read from an ONNX file, promised by the manifest of any other. */
async function describe({ modelPath, runner, expected }: TrialOrder): Promise<ModelDescription> {
  if (runner === undefined) return describeModel(importModel(await readFile(modelPath)))
  invariant(expected !== undefined, 'a model behind a runner comes with what its manifest says')
  return runnerDescription(expected, Array.from({ length: expected.classCount }, String))
}

const openingPeriodMs = 1000

/** An engine that is built takes most of the trial. */
function openingShareOf({ expectedBuildMs }: TrialOrder): number {
  return expectedBuildMs > 0 ? 0.8 : 0
}

/** Opens the model; tells how far that may be while it lasts: half of its share when the expected time has passed. */
async function open(
  order: TrialOrder,
  description: ModelDescription,
  clock: Clock,
  say: (message: TrialMessage) => void,
): Promise<Detector> {
  const { modelPath: path, runner, session, expectedBuildMs } = order
  const startMs = clock.monotonicMs()
  const stop = clock.every(openingPeriodMs, () => {
    const passedMs = clock.monotonicMs() - startMs
    const part = expectedBuildMs > 0 ? passedMs / (passedMs + expectedBuildMs) : 0
    say({ kind: 'opening', progress: openingShareOf(order) * part })
  })
  try {
    if (runner !== undefined) return await openRunnerDetector(runner, { path, description })
    return await openDetector({ path, description }, session)
  } finally {
    stop()
  }
}

function requireExpected(description: ModelDescription, expected: TrialOrder['expected']): void {
  if (expected === undefined) return
  const { inputWidth, inputHeight, classNames } = description
  if (inputWidth !== expected.width || inputHeight !== expected.height) {
    const size = `${inputWidth}x${inputHeight}`
    throw new AgentError(
      'model.not_yolov8',
      `the model takes ${size} pixels, its manifest says ${expected.width}x${expected.height}`,
    )
  }
  if (classNames.length !== expected.classCount) {
    throw new AgentError(
      'model.labels_invalid',
      `the model has ${classNames.length} classes, its manifest names ${expected.classCount}`,
    )
  }
}

/** Golden pictures, or noise: what a model finds in it costs time in decoding, so plain grey would flatter it. */
async function timedFrames(
  golden: GoldenSet | undefined,
  { inputWidth: width, inputHeight: height }: ModelDescription,
): Promise<readonly DetectorFrame[]> {
  const pictures = golden?.pictures.slice(0, timedPictures) ?? []
  if (pictures.length > 0)
    return Promise.all(pictures.map((picture) => readFrame(picture.bytes, { width, height })))
  return [noiseFrame({ width, height })]
}

async function accuracyOf(
  detector: Detector,
  golden: GoldenSet,
  onPicture: () => void,
): Promise<AccuracyFigures> {
  const { inputWidth: width, inputHeight: height } = detector.description
  const items = golden.pictures.map((picture) => ({ ...picture, groundTruths: picture.objects }))
  const { metrics, images } = await evaluate(
    items,
    async (picture) => {
      const frame = await readFrame(picture.bytes, { width, height })
      return (await detector.detect(frame, validationOptions)).detections
    },
    { onProgress: onPicture },
  )
  if (images.every(({ detections }) => detections.length === 0)) {
    throw new AgentError(
      'inference.output_invalid',
      `the model finds nothing in ${images.length} golden pictures with ${metrics.groundTruths} objects`,
    )
  }
  return { map: metrics.map, map50: metrics.map50, images: metrics.images, dataset: golden.dataset }
}
