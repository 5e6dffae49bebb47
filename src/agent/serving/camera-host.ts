/**
 * The cameras of the device and the model they share.
 *
 *     no model:  [cameras closed]
 *     serve(m):  open m, warm ---> first model: start every camera's pipeline
 *                             \--> later ones:  swap between two frames, close the old one
 *
 * Invariant: cameras run exactly while a model serves; models are opened and swapped one at a time, in the order of the
 * calls; a model that cannot be opened leaves the serving one as it is.
 */

import { backoffDelayMs } from '../../base/backoff.js'
import type { Clock } from '../../base/clock.js'
import { type AgentError, messageOf } from '../../base/errors.js'
import type { Logger } from '../../base/logger.js'
import type { Random } from '../../base/random.js'
import { openSource } from '../../camera/open-source.js'
import type { CameraConfig, Config } from '../../config/config.js'
import { FrameTracking, type TrackingOptions } from '../../pipeline/frame-tracking.js'
import { ModelSlot } from '../../pipeline/model-slot.js'
import { Pipeline } from '../../pipeline/pipeline.js'
import type { PipelineStats } from '../../pipeline/pipeline-stats.js'
import type { FrameTap, FrameWatch, ResultSink } from '../../pipeline/ports.js'
import type { ServedModel, Serving } from '../../update/ports.js'
import type { DetectionFilter } from '../../zones/detection-filter.js'
import type { ServingModel } from './open-served-model.js'

export interface CameraHostOptions {
  readonly cameras: readonly CameraConfig[]
  readonly detection: Config['inference']
  readonly tracking: Config['tracking']
  openModel(served: ServedModel): Promise<ServingModel>
  /** The sinks of one camera. */
  sinksOf(camera: string): readonly ResultSink[]
  /** What looks at the frames of one camera, if anything does. */
  tapOf?(camera: string): FrameTap
  /** What looks at the frames of one camera and what was found in them, if anything does. */
  watchOf?(camera: string): FrameWatch | undefined
  /** What one camera is told to ignore, if anything. */
  filterOf?(camera: string): DetectionFilter | undefined
  /** Called after each change of the serving model. */
  onServing(model: ServingModel | undefined): void
  /** Called when the model in front of the cameras has failed and cannot be opened again as it is. */
  onLost?(): void
  /** Called once when every camera has come to its end: files that do not start again. */
  onCamerasEnded(): void
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

const sinkQueueSize = 8
const errorsInRowMax = 10
const reopenBackoff = { firstMs: 1000, capMs: 60_000 }

export class CameraHost implements Serving {
  readonly #options: CameraHostOptions
  readonly #stopping = new AbortController()
  #slot: ModelSlot | undefined
  #model: ServingModel | undefined
  #pipelines: readonly Pipeline[] = []
  #retiredErrors = 0
  #reopenings = 0
  #isFailing = false
  #turn: Promise<void> = Promise.resolve()

  constructor(options: CameraHostOptions) {
    this.#options = options
  }

  /** The model in front of the cameras; undefined while there is none, or it has failed and is opened again. */
  get model(): ServingModel | undefined {
    return this.#isFailing ? undefined : this.#model
  }

  get served(): ServedModel | undefined {
    return this.model?.served
  }

  /** Frames on which detection failed, since the start. */
  get failedFrames(): number {
    return this.#retiredErrors + this.#pipelines.reduce((sum, pipeline) => sum + pipeline.failedFrames, 0)
  }

  /** Monotonic time since which the oldest frame under way is with the model; undefined while none is. */
  get frameSinceMs(): number | undefined {
    const times = this.#pipelines.flatMap(({ frameSinceMs }) => frameSinceMs ?? [])
    return times.length === 0 ? undefined : Math.min(...times)
  }

  /** How often the model was replaced between two frames. */
  get swaps(): number {
    return this.#slot?.swaps ?? 0
  }

  /** Serves `model` from the next frame on. Throws what opening it throws; what served before goes on then. */
  serve(model: ServedModel | undefined): Promise<void> {
    return this.#inTurn(() => (model === undefined ? this.#close() : this.#serve(model)))
  }

  /** The figures of every camera since the last call. */
  takeStats(): readonly PipelineStats[] {
    return this.#pipelines.map((pipeline) => pipeline.takeStats())
  }

  /** Finishes the frames under way, closes cameras and model. Idempotent. */
  stop(): Promise<void> {
    this.#stopping.abort()
    return this.#inTurn(() => this.#close())
  }

  async #serve(served: ServedModel): Promise<void> {
    if (this.#stopping.signal.aborted) return
    const model = await this.#options.openModel(served)
    this.#model = model
    this.#isFailing = false
    if (this.#slot === undefined) {
      this.#slot = new ModelSlot(model)
      this.#startCameras(this.#slot)
    } else {
      await this.#slot.swap(model).catch((thrown: unknown) => {
        this.#options.logger.warn({ reason: messageOf(thrown) }, 'the model before did not close cleanly')
      })
    }
    this.#options.onServing(model)
  }

  async #close(): Promise<void> {
    const slot = this.#slot
    if (slot === undefined) return
    this.#slot = undefined
    this.#model = undefined
    await Promise.all(this.#pipelines.map((pipeline) => pipeline.stop()))
    this.#retiredErrors = this.failedFrames
    this.#pipelines = []
    await slot.close()
    this.#options.onServing(undefined)
  }

  #startCameras(slot: ModelSlot): void {
    const pipelines = this.#options.cameras.map((camera) => this.#pipelineOf(camera, slot))
    this.#pipelines = pipelines
    const runs = pipelines.map(async (pipeline, index) => {
      const end = await pipeline.run()
      const camera = this.#options.cameras[index]!.name
      if (end.reason === 'failed')
        this.#options.logger.error(
          { camera, code: end.error.code, reason: end.error.message },
          'camera failed',
        )
      else this.#options.logger.info({ camera, reason: end.reason }, 'camera ended')
      return end.reason
    })
    if (runs.length === 0) return
    void Promise.all(runs).then((reasons) => {
      if (!reasons.includes('stopped')) this.#options.onCamerasEnded()
    })
  }

  #pipelineOf(camera: CameraConfig, slot: ModelSlot): Pipeline {
    const { detection, tracking, clock, random, logger } = this.#options
    const tap = this.#options.tapOf?.(camera.name)
    const watch = this.#options.watchOf?.(camera.name)
    const filter = this.#options.filterOf?.(camera.name)
    return new Pipeline({
      camera: camera.name,
      openSupply: ({ width, height }) =>
        openSource({
          uri: camera.source,
          loop: camera.loop,
          inputWidth: width,
          inputHeight: height,
          mode: 'live',
          logger: logger.child({ camera: camera.name }),
          clock,
          random,
        }),
      slot,
      sinks: this.#options.sinksOf(camera.name),
      ...(tap !== undefined && { tap }),
      ...(watch !== undefined && { watch }),
      ...(filter !== undefined && { filter }),
      detection: {
        conf: detection.conf,
        iou: detection.iou,
        maxDet: detection.maxDet,
        multiLabel: false,
      },
      // Zones and lines count tracks.
      ...((tracking.enabled || watch !== undefined) && {
        tracking: new FrameTracking(trackingOptionsOf(tracking, detection.conf), clock),
      }),
      maxFps: camera.maxFps,
      sinkQueueSize,
      errorsInRowMax,
      onPersistentError: (error) => {
        void this.#reopen(error)
      },
      clock,
      random,
      logger,
    })
  }

  /** Opens the serving model once more: its thread may be dead. Gives up when another model has taken over. */
  async #reopen(error: AgentError): Promise<void> {
    const { clock, random, logger } = this.#options
    const failed = this.#model
    if (failed === undefined) return
    this.#isFailing = true
    this.#options.onServing(undefined)
    logger.error({ code: error.code, reason: error.message }, 'the model keeps failing and is opened again')
    await clock.sleep(backoffDelayMs(this.#reopenings++, reopenBackoff, random), this.#stopping.signal)
    await this.#inTurn(async () => {
      if (this.#model !== failed) return
      try {
        await this.#serve(failed.served)
      } catch (thrown) {
        logger.error({ reason: messageOf(thrown) }, 'the model could not be opened again')
        this.#options.onLost?.()
        if (this.#model === failed) void this.#reopen(error)
      }
    })
  }

  #inTurn(action: () => Promise<void>): Promise<void> {
    const result = this.#turn.then(action)
    // The next one does not fail because this one did; the caller of this one hears of it.
    this.#turn = result.catch(() => undefined)
    return result
  }
}

function trackingOptionsOf(tracking: Config['tracking'], reportedScore: number): TrackingOptions {
  const { lowScore, newTrackScore, bufferS, perClass } = tracking
  return {
    reportedScore,
    highScore: reportedScore,
    lowScore,
    newTrackScore: Math.max(newTrackScore, reportedScore),
    bufferMs: bufferS * 1000,
    isPerClass: perClass,
  }
}
