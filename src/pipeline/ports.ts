/**
 * What the pipeline needs of others; cameras, detectors and publishers satisfy these by their shape.
 * Invariant: the pipeline owns what it opens through a port and ends it exactly once.
 */

import type { Detection, DetectionOptions } from '../yolo/detection.js'
import type { Letterbox } from '../yolo/letterbox.js'
import type { FrameResult } from './frame-result.js'

/** A size in pixels. */
export interface Size {
  readonly width: number
  readonly height: number
}

/** A frame on loan. Its pixels do not change until release. */
export interface FrameLease {
  readonly frameId: number
  /** Wall time, milliseconds. */
  readonly capturedAtMs: number
  /** uint8 RGB of the model's input size, letterboxed, `byteLength` bytes from `byteOffset`. */
  readonly pixels: SharedArrayBuffer
  readonly byteOffset: number
  readonly byteLength: number
  readonly letterbox: Letterbox
  /** Gives the memory back; called exactly once. */
  release(): void
}

export interface SupplyStats {
  readonly captured: number
  readonly dropped: number
  readonly restarts: number
}

export interface FrameSupply {
  /** The newest frame; undefined when the source ended or `signal` aborts; rejects when the source failed for good. */
  next(signal: AbortSignal): Promise<FrameLease | undefined>
  stats(): SupplyStats
  stop(): Promise<void>
}

/** Opens the camera of a pipeline with frames of `size`; called again when a model of another size takes over. */
export type OpenSupply = (size: Size) => Promise<FrameSupply>

export interface DetectorFrame {
  readonly pixels: SharedArrayBuffer
  readonly byteOffset: number
  readonly letterbox: Letterbox
}

export interface DetectorAnswer {
  readonly detections: Detection[]
  readonly timings: {
    readonly preprocessMs: number
    readonly inferenceMs: number
    readonly decodeMs: number
  }
}

export interface Detector {
  readonly description: {
    readonly inputWidth: number
    readonly inputHeight: number
    readonly classNames: readonly string[]
  }
  /** Time on a processor that its threads took so far, milliseconds; absent or undefined where nobody counts it. */
  cpuMs?(): Promise<number | undefined>
  /** The pixels of `frame` do not change until the answer is there. */
  detect(frame: DetectorFrame, options: DetectionOptions): Promise<DetectorAnswer>
  close(): Promise<void>
}

/** Looks at frames before detection: a preview. */
export interface FrameTap {
  /** Borrows `frame` for the call only: what is needed later is copied. Never throws. */
  look(frame: FrameLease): void
}

/** Looks at every frame and at what was found in it, in their order. */
export interface FrameWatch {
  /** Borrows `frame` for the call only; called before the sinks have the result. Never throws. */
  found(frame: FrameLease, result: FrameResult): void
}

/** Takes results: MQTT, a file, a preview. */
export interface ResultSink {
  /** For logs and counters. */
  readonly name: string
  /** Takes one result; the next one comes when the returned promise settles. */
  accept(result: FrameResult): Promise<void>
}
