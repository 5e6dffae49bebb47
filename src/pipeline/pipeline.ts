/**
 * The frame loop of one camera: newest frame, detect, hand on; again.
 *
 *      supply --lease--> detector --result--> [queue] sink
 *         ^                 |                 [queue] sink
 *         '---- release ----'
 *
 * Invariant: one frame is under way at a time; every lease is released exactly once; an error in a frame, in a sink or in
 * opening the camera never ends the loop.
 */

import { invariant } from '../base/assert.js'
import { backoffDelayMs, type BackoffOptions } from '../base/backoff.js'
import type { Clock } from '../base/clock.js'
import { type AgentError, isAgentError, wrapError } from '../base/errors.js'
import type { Logger } from '../base/logger.js'
import type { Random } from '../base/random.js'
import type { DetectionOptions } from '../yolo/detection.js'
import type { DetectionFilter } from '../zones/detection-filter.js'
import type { FrameResult } from './frame-result.js'
import type { FrameTracking } from './frame-tracking.js'
import type { LoadedModel, ModelLease, ModelSlot } from './model-slot.js'
import { Pacing } from './pacing.js'
import { type PipelineStats, StageRecorder } from './pipeline-stats.js'
import type {
  Detector,
  DetectorAnswer,
  FrameLease,
  FrameSupply,
  FrameTap,
  FrameWatch,
  OpenSupply,
  ResultSink,
  Size,
} from './ports.js'
import { RepeatLog } from './repeat-log.js'
import { SinkFeed } from './sink-feed.js'

export interface PipelineOptions {
  /** Name of the camera in results, topics and logs. */
  readonly camera: string
  readonly openSupply: OpenSupply
  /** Shared with the pipelines of other cameras; borrowed. */
  readonly slot: ModelSlot
  readonly sinks: readonly ResultSink[]
  readonly tap?: FrameTap
  readonly watch?: FrameWatch
  readonly detection: DetectionOptions
  /** What the camera is told to ignore; nothing unless given. */
  readonly filter?: DetectionFilter
  /** Ids that stay over frames; none unless given. */
  readonly tracking?: FrameTracking
  /** Most frames a second; 0 as fast as it goes. */
  readonly maxFps: number
  /** Results that may wait for a slow sink. */
  readonly sinkQueueSize: number
  /** Failed frames in a row after which `onPersistentError` is called. */
  readonly errorsInRowMax: number
  /** Called once in each row of failures, with the last of them: the model should be replaced or opened again. */
  readonly onPersistentError: (error: AgentError) => void
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** How a run ended. */
export type PipelineEnd =
  | { readonly reason: 'stopped' }
  /** The source has no more frames. */
  | { readonly reason: 'ended' }
  /** The source failed for good. */
  | { readonly reason: 'failed'; readonly error: AgentError }

const drainLimitMs = 5000
const logPeriodMs = 10_000
const errorBackoff: BackoffOptions = { firstMs: 20, capMs: 2000 }
const openBackoff: BackoffOptions = { firstMs: 500, capMs: 30_000 }

export class Pipeline {
  readonly #options: PipelineOptions
  readonly #detection: DetectionOptions
  readonly #feeds: readonly SinkFeed[]
  readonly #recorder: StageRecorder
  readonly #pacing: Pacing
  readonly #log: RepeatLog
  readonly #stopping = new AbortController()
  #supply: { readonly frames: FrameSupply; readonly size: Size } | undefined
  /** Failures in a row of one model. */
  #failures: { readonly detector: Detector; readonly count: number; readonly isReported: boolean } | undefined
  #running: Promise<PipelineEnd> | undefined
  #frameSinceMs: number | undefined

  constructor(options: PipelineOptions) {
    const { clock, logger, camera } = options
    this.#options = options
    this.#detection = options.tracking?.detectionOptions(options.detection) ?? options.detection
    this.#log = new RepeatLog(logger.child({ camera }), clock, logPeriodMs)
    this.#feeds = options.sinks.map((sink) => new SinkFeed(sink, options.sinkQueueSize, this.#log))
    this.#recorder = new StageRecorder(clock.monotonicMs())
    this.#pacing = new Pacing(options.maxFps, clock)
  }

  /** Runs until the source ends or fails for good, or until stop(). The queues of the sinks are empty then. */
  run(): Promise<PipelineEnd> {
    invariant(this.#running === undefined, 'a pipeline runs once')
    this.#running = this.#run()
    return this.#running
  }

  /** Finishes the frame under way, empties the queues of the sinks (5 s at the most) and stops the camera. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  /** Monotonic time since which a frame is with the model; undefined while none is. */
  get frameSinceMs(): number | undefined {
    return this.#frameSinceMs
  }

  /** Frames on which detection failed, since the start. */
  get failedFrames(): number {
    return this.#recorder.errors
  }

  /** Totals, and the figures of the window since the last call. */
  takeStats(): PipelineStats {
    const { camera, clock } = this.#options
    const sinks = this.#feeds.map((feed) => feed.stats())
    return this.#recorder.takeWindow(camera, this.#supply?.frames.stats(), sinks, clock.monotonicMs())
  }

  async #run(): Promise<PipelineEnd> {
    const { signal } = this.#stopping
    let end: PipelineEnd = { reason: 'stopped' }
    while (!signal.aborted) {
      await this.#pacing.turn(signal)
      const supply = await this.#supplyFor(this.#options.slot.current)
      if (supply === undefined) break
      const next = await takeNext(supply, signal)
      if ('end' in next) {
        if (!this.#stopping.signal.aborted) end = next.end
        break
      }
      await this.#process(next.frame)
    }
    await this.#closeSupply()
    await Promise.all(this.#feeds.map((feed) => feed.drain(drainLimitMs, this.#options.clock)))
    return end
  }

  /** The supply at the size of `model`'s input, opened anew when the size has changed. Undefined when stopped. */
  async #supplyFor(model: LoadedModel): Promise<FrameSupply | undefined> {
    const { openSupply, clock, random } = this.#options
    const size = sizeOf(model)
    if (this.#supply !== undefined && isSameSize(this.#supply.size, size)) return this.#supply.frames
    // A camera can be open only once: the old supply ends before the new one begins.
    await this.#closeSupply()
    for (let attempt = 0; !this.#stopping.signal.aborted; attempt++) {
      try {
        const frames = await openSupply(size)
        this.#supply = { frames, size }
        return frames
      } catch (thrown) {
        this.#log.warn(thrown, 'camera could not be opened')
        await clock.sleep(backoffDelayMs(attempt, openBackoff, random), this.#stopping.signal)
      }
    }
    return undefined
  }

  async #closeSupply(): Promise<void> {
    if (this.#supply === undefined) return
    const { frames } = this.#supply
    this.#supply = undefined
    this.#recorder.retire(frames.stats())
    try {
      await frames.stop()
    } catch (thrown) {
      this.#log.warn(thrown, 'camera did not stop cleanly')
    }
  }

  /** Detects on `frame` and hands the result on. Takes the lease. Never rejects. */
  async #process(frame: FrameLease): Promise<void> {
    const { slot, clock } = this.#options
    const model = slot.lease()
    try {
      // The model may have been swapped for one of another size while the frame was waited for.
      if (!isSameSize(sizeOf(model), inputSizeOf(frame))) {
        this.#recorder.outgrown++
        return
      }
      this.#options.tap?.look(frame)
      const waitMs = clock.wallMs() - frame.capturedAtMs
      this.#frameSinceMs = clock.monotonicMs()
      const answer = await model.detector.detect(frame, this.#detection)
      this.#failures = undefined
      this.#deliver(frame, this.#resultOf(frame, model, answer, waitMs))
    } catch (thrown) {
      await this.#failed(
        wrapError(thrown, 'inference.run_failed', 'cannot detect on a frame'),
        model.detector,
      )
    } finally {
      this.#frameSinceMs = undefined
      frame.release()
      model.release()
    }
  }

  #resultOf(frame: FrameLease, model: ModelLease, answer: DetectorAnswer, waitMs: number): FrameResult {
    const { camera, clock, filter, tracking } = this.#options
    const { sourceWidth, sourceHeight } = frame.letterbox
    const { classNames } = model.detector.description
    filter?.apply(answer.detections, classNames, sourceWidth, sourceHeight)
    const tracked = tracking?.track(answer.detections, frame.capturedAtMs, sourceWidth, sourceHeight)
    return {
      camera,
      frameId: frame.frameId,
      capturedAtMs: frame.capturedAtMs,
      sourceWidth,
      sourceHeight,
      identity: model.identity,
      classNames,
      detections: answer.detections,
      ...tracked,
      timings: {
        // The wall clock may have been set back since the capture.
        waitMs: Math.max(0, waitMs),
        ...answer.timings,
        totalMs: Math.max(0, clock.wallMs() - frame.capturedAtMs),
      },
    }
  }

  #deliver(frame: FrameLease, result: FrameResult): void {
    this.#recorder.record(result.timings, result.detections.length)
    this.#options.watch?.found(frame, result)
    for (const feed of this.#feeds) feed.offer(result)
  }

  async #failed(error: AgentError, detector: Detector): Promise<void> {
    const { errorsInRowMax, onPersistentError, clock, random } = this.#options
    this.#recorder.errors++
    // A model that was just swapped in starts with a clean record.
    const earlier = this.#failures?.detector === detector ? this.#failures : undefined
    const count = (earlier?.count ?? 0) + 1
    // A dead thread does not come back by itself: there is nothing to wait for.
    const isPersistent = count >= errorsInRowMax || isAgentError(error, 'inference.worker_died')
    this.#failures = { detector, count, isReported: isPersistent }
    this.#log.warn(error, 'detection failed')
    if (isPersistent && earlier?.isReported !== true) onPersistentError(error)
    await clock.sleep(backoffDelayMs(count - 1, errorBackoff, random), this.#stopping.signal)
  }
}

async function takeNext(
  supply: FrameSupply,
  signal: AbortSignal,
): Promise<{ readonly frame: FrameLease } | { readonly end: PipelineEnd }> {
  try {
    const frame = await supply.next(signal)
    return frame === undefined ? { end: { reason: 'ended' } } : { frame }
  } catch (thrown) {
    const error = wrapError(thrown, 'camera.stream_broken', 'the camera failed')
    return { end: { reason: 'failed', error } }
  }
}

function sizeOf(model: LoadedModel): Size {
  const { inputWidth, inputHeight } = model.detector.description
  return { width: inputWidth, height: inputHeight }
}

function inputSizeOf(frame: FrameLease): Size {
  return { width: frame.letterbox.inputWidth, height: frame.letterbox.inputHeight }
}

function isSameSize(a: Size, b: Size): boolean {
  return a.width === b.width && a.height === b.height
}
