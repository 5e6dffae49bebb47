/**
 * The model before, run on some frames of the one that serves: how far do they agree?
 *
 *     tap --copy--> [one frame] --and the result of the same frame, from the sink--> the model before --> pairs
 *
 * Invariant: one frame at a time, on a thread that gives way to the serving model; what cannot be compared is not judged.
 */

import { copiedFrame } from '../../camera/shared-frame.js'
import type { Clock } from '../../base/clock.js'
import { messageOf } from '../../base/errors.js'
import type { Logger } from '../../base/logger.js'
import { compareDetections } from '../../evaluation/agreement.js'
import type { FrameResult } from '../../pipeline/frame-result.js'
import type { Detector, DetectorFrame, FrameTap, ResultSink } from '../../pipeline/ports.js'
import type { ServedModel } from '../../update/ports.js'
import type { DetectionFilter } from '../../zones/detection-filter.js'
import { haveSameClasses } from '../../yolo/class-names.js'
import type { Detection, DetectionOptions } from '../../yolo/detection.js'

export interface FrameComparisonOptions {
  /** The model that served before the one under watch; undefined while none is. */
  previous(): ServedModel | undefined
  /** Opens it once more, behind everything else; the comparison closes it. */
  open(model: ServedModel): Promise<Detector>
  readonly detection: DetectionOptions
  /** What a camera is told to ignore, taken out of what the model before found as well. */
  filterOf(camera: string): DetectionFilter | undefined
  readonly clock: Clock
  readonly logger: Logger
}

/** Of two frames, how far apart at the least. */
const samplePeriodMs = 500
/** Objects that both models together must have seen before they are compared. */
const objectsMin = 10

/** A copy of a frame whose result has not come yet. */
interface Sample extends DetectorFrame {
  readonly camera: string
  readonly frameId: number
}

export class FrameComparison {
  readonly #options: FrameComparisonOptions
  #opened: { readonly model: ServedModel; readonly detector: Detector } | undefined
  #isOpen = false
  #sample: Sample | undefined
  #running: Promise<void> | undefined
  #nextAtMs = 0
  #before: (readonly Detection[])[] = []
  #now: (readonly Detection[])[] = []

  constructor(options: FrameComparisonOptions) {
    this.#options = options
  }

  /** Copies some frames of `camera`, none while nothing is compared. */
  tapOf(camera: string): FrameTap {
    return {
      look: ({ frameId, pixels, byteOffset, byteLength, letterbox }) => {
        const nowMs = this.#options.clock.monotonicMs()
        if (this.#detector === undefined || this.#running !== undefined || nowMs < this.#nextAtMs) return
        this.#nextAtMs = nowMs + samplePeriodMs
        const copy = copiedFrame(new Uint8Array(pixels, byteOffset, byteLength), letterbox)
        this.#sample = { camera, frameId, ...copy }
      },
    }
  }

  /** Without what only tracking lets through: the model before is asked with the common threshold. */
  #comparable(detections: readonly Detection[]): readonly Detection[] {
    return detections.filter(({ score }) => score >= this.#options.detection.conf)
  }

  /** Brings what the serving model found in the copied frames. */
  readonly sink: ResultSink = {
    name: 'comparison',
    accept: (result) => {
      const [detector, sample] = [this.#detector, this.#sample]
      const isOfSample = sample?.camera === result.camera && sample.frameId === result.frameId
      if (detector === undefined || !isOfSample) return Promise.resolve()
      this.#sample = undefined
      if (this.#running === undefined && isComparable(detector, result, sample))
        this.#running = this.#compare(detector, sample, this.#comparable(result.detections)).finally(() => {
          this.#running = undefined
        })
      return Promise.resolve()
    },
  }

  /** Begins a window; opens the model before, if there is one, for the first of them. Never rejects: without it nothing is compared. */
  async begin(): Promise<void> {
    const previous = this.#options.previous()
    this.#before = []
    this.#now = []
    this.#isOpen = true
    if (previous === undefined || this.#opened?.model.deploymentId === previous.deploymentId) return
    await this.close()
    this.#isOpen = true
    try {
      this.#opened = { model: previous, detector: await this.#options.open(previous) }
    } catch (thrown) {
      this.#options.logger.warn({ reason: messageOf(thrown) }, 'the model before cannot be compared with')
    }
  }

  /** The agreement since begin. */
  async end(): Promise<number | undefined> {
    this.#isOpen = false
    this.#sample = undefined
    await this.#running
    const { both, onlyReference, onlyCandidate, f1 } = compareDetections(this.#before, this.#now)
    return 2 * both + onlyReference + onlyCandidate < objectsMin ? undefined : f1
  }

  /** Closes the model before, after the last window. */
  async close(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    this.#isOpen = false
    this.#sample = undefined
    await this.#running
    await opened?.detector.close()
  }

  /** The model before, while a window is open. */
  get #detector(): Detector | undefined {
    return this.#isOpen ? this.#opened?.detector : undefined
  }

  async #compare(detector: Detector, frame: Sample, found: readonly Detection[]): Promise<void> {
    try {
      const { detections } = await detector.detect(frame, this.#options.detection)
      const { sourceWidth, sourceHeight } = frame.letterbox
      const { classNames } = detector.description
      this.#options.filterOf(frame.camera)?.apply(detections, classNames, sourceWidth, sourceHeight)
      this.#before.push(detections)
      this.#now.push(found)
    } catch (thrown) {
      this.#options.logger.warn({ reason: messageOf(thrown) }, 'the model before failed on a frame')
    }
  }
}

/** Whether both models take this frame as it is, and mean the same by a class. */
function isComparable(
  { description }: Detector,
  { classNames }: FrameResult,
  { letterbox }: DetectorFrame,
): boolean {
  return (
    description.inputWidth === letterbox.inputWidth &&
    description.inputHeight === letterbox.inputHeight &&
    haveSameClasses(description.classNames, classNames)
  )
}
