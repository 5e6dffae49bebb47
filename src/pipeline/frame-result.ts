/** What the pipeline knows of one frame after detection. */

import type { Detection } from '../yolo/detection.js'

/** Which model looked at a frame. */
export interface ModelIdentity {
  readonly model: string
  readonly version: string
  readonly variant: string
}

export interface FrameTimings {
  /** From capture to the moment the detector got the frame. */
  readonly waitMs: number
  readonly preprocessMs: number
  readonly inferenceMs: number
  readonly decodeMs: number
  /** From capture to detections, everything included. */
  readonly totalMs: number
}

export interface FrameResult {
  readonly camera: string
  readonly frameId: number
  /** Wall time, milliseconds. */
  readonly capturedAtMs: number
  /** Size of the original picture, pixels: what the boxes refer to. */
  readonly sourceWidth: number
  readonly sourceHeight: number
  readonly identity: ModelIdentity
  readonly classNames: readonly string[]
  readonly detections: readonly Detection[]
  /** The track of each detection, in their order, 0 for none; absent without tracking. */
  readonly trackIds?: readonly number[]
  readonly timings: FrameTimings
}
