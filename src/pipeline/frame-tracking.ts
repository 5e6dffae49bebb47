/**
 * The tracker of one camera between detection and sinks.
 * Invariant: every frame goes through in its order; a clock that is set, a picture that changes its size and a camera that pauses
 * do not end tracks that go on.
 */

import type { Clock } from '../base/clock.js'
import { Tracker, type TrackerOptions } from '../tracking/tracker.js'
import type { Detection, DetectionOptions } from '../yolo/detection.js'
import { FrameTime } from './frame-time.js'

export interface TrackingOptions extends Partial<TrackerOptions> {
  /** Detections below this score are handed on only if they continue a track, 0..1. */
  readonly reportedScore: number
}

/** What is handed on of one frame. */
export interface TrackedDetections {
  readonly detections: readonly Detection[]
  readonly trackIds: readonly number[]
}

export class FrameTracking {
  readonly #options: TrackingOptions
  readonly #time: FrameTime
  readonly #tracker: Tracker
  #width = 0
  #height = 0

  constructor(options: TrackingOptions, clock: Clock) {
    this.#options = options
    this.#time = new FrameTime(clock)
    this.#tracker = new Tracker(options)
  }

  /** `detection` with a threshold that lets faint detections through, which only continue tracks. */
  detectionOptions(detection: DetectionOptions): DetectionOptions {
    const { lowScore } = this.#options
    return lowScore === undefined || lowScore >= detection.conf ? detection : { ...detection, conf: lowScore }
  }

  /** Tracks the detections of a frame of `width` x `height` pixels. */
  track(
    detections: readonly Detection[],
    capturedAtMs: number,
    width: number,
    height: number,
  ): TrackedDetections {
    this.#fit(width, height)
    const ids = this.#tracker.update(detections, this.#time.of(capturedAtMs))
    const kept: Detection[] = []
    const trackIds: number[] = []
    for (let index = 0; index < detections.length; index++) {
      const found = detections[index]!
      const id = ids[index]!
      if (id === 0 && found.score < this.#options.reportedScore) continue
      kept.push(found)
      trackIds.push(id)
    }
    return { detections: kept, trackIds }
  }

  /** A camera that changes its size shows the same things in other pixels. */
  #fit(width: number, height: number): void {
    if (this.#width > 0 && (width !== this.#width || height !== this.#height))
      this.#tracker.rescale(width / this.#width, height / this.#height)
    this.#width = width
    this.#height = height
  }
}
