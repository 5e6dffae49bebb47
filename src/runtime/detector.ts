/**
 * A YOLOv8 model that takes frames and gives detections, in a worker thread of its own.
 * Invariant: the event loop of the caller does no per-pixel work; it only lends the pixels of a frame.
 */

import { invariant } from '../base/assert.js'
import type { DetectionOptions } from '../yolo/detection.js'
import type { Letterbox } from '../yolo/letterbox.js'
import type { ModelDescription } from '../yolo/model-description.js'
import type { DetectResult, ModelSource, SessionInfo } from './messages.js'
import { SessionHandle } from './session-handle.js'
import type { SessionOptions } from './session-options.js'

/** A letterboxed RGB picture of the model's input size in shared memory: height x width x 3 bytes from `byteOffset`. */
export interface DetectorFrame {
  readonly pixels: SharedArrayBuffer
  readonly byteOffset: number
  readonly letterbox: Letterbox
}

export interface Detector {
  readonly description: ModelDescription
  /** The execution provider it was opened with. */
  readonly provider: string
  readonly info: SessionInfo
  /**
   * Finds objects in `frame`, whose pixels do not change until this settles. Calls are served in order, one at a time.
   * Throws `inference.run_failed`, `inference.output_invalid` or `inference.worker_died`.
   */
  detect(frame: DetectorFrame, options: DetectionOptions): Promise<DetectResult>
  /** Time on a processor that its threads took so far, milliseconds; undefined where nobody counts it. */
  cpuMs?(): Promise<number | undefined>
  /** Ends the thread after the calls under way; its memory goes with it. Idempotent. */
  close(): Promise<void>
  /** Calls under way fail with `inference.worker_died` at once; the thread ends when its computation returns. Idempotent. */
  terminate(): Promise<void>
}

/**
 * Opens `model` and warms it up.
 * Throws `model.file_unreadable`, `inference.load_failed`, `inference.provider_unavailable`, or what the first run throws.
 */
export async function openDetector(
  model: ModelSource & { readonly description: ModelDescription },
  options: SessionOptions = {},
): Promise<Detector> {
  const { description } = model
  const handle = new SessionHandle(options)
  const source: ModelSource = 'path' in model ? { path: model.path } : { bytes: model.bytes }
  const info = await handle.open({ kind: 'open', source, options, description, bound: undefined })
  const slotBytes = description.inputWidth * description.inputHeight * 3
  return {
    description,
    provider: info.provider,
    info,
    detect(frame, detection) {
      const { pixels, byteOffset, letterbox } = frame
      invariant(
        byteOffset >= 0 && byteOffset + slotBytes <= pixels.byteLength,
        `a frame of ${slotBytes} bytes lies inside its shared memory of ${pixels.byteLength} at ${byteOffset}`,
      )
      return handle.detect({ kind: 'detect', pixels, byteOffset, letterbox, options: detection })
    },
    cpuMs: () => handle.cpuMs(),
    close: () => handle.close(),
    terminate: () => handle.terminate(),
  }
}
