/**
 * Everything that the two sides of a session say to each other: a closed union each way.
 * Invariant: `open` comes first, and again only after `closed`; each later request with an `id` gets exactly one `failed` or its own answer,
 * in the order of the requests.
 */

import type { ErrorCode } from '../base/errors.js'
import type { Detection, DetectionOptions } from '../yolo/detection.js'
import type { Letterbox } from '../yolo/letterbox.js'
import type { ModelDescription } from '../yolo/model-description.js'
import type { SessionOperators } from './backend.js'
import type { SessionOptions } from './session-options.js'
import type { BoundTensors } from './shared-tensors.js'
import type { PackedTensor, TensorInfo } from './tensor.js'
import type { WarmUp } from './warm-up.js'

/** A model as bytes, or as a file that ONNX Runtime reads itself. */
export type ModelSource = { readonly bytes: Uint8Array } | { readonly path: string }

export interface OpenRequest {
  readonly kind: 'open'
  readonly source: ModelSource
  readonly options: SessionOptions
  /** Present for a detector: the session then takes frames. */
  readonly description: ModelDescription | undefined
  readonly bound: BoundTensors | undefined
}

export interface RunRequest {
  readonly kind: 'run'
  readonly id: number
  readonly feeds: readonly PackedTensor[]
  /** Names of the outputs to compute; undefined for all. */
  readonly fetches: readonly string[] | undefined
}

/** What a run computed besides its bound outputs, and the buffers that its feeds came in, for other feeds. */
export interface RunResult {
  readonly outputs: readonly PackedTensor[]
  /** Milliseconds in the runtime itself. */
  readonly computeMs: number
  readonly spent: readonly ArrayBuffer[]
}

export interface DetectRequest {
  readonly kind: 'detect'
  readonly id: number
  /** Shared memory with the letterboxed RGB picture at `byteOffset`. */
  readonly pixels: SharedArrayBuffer
  readonly byteOffset: number
  readonly letterbox: Letterbox
  readonly options: DetectionOptions
}

/** Ends the session: the thread answers `closed` and waits for another `open`, or ends as well. */
export interface CloseRequest {
  readonly kind: 'close'
  readonly keepsThread: boolean
}

export type Request = OpenRequest | RunRequest | DetectRequest | CloseRequest

/** Milliseconds of the three steps of one detection, measured in the worker. */
export interface DetectTimings {
  readonly preprocessMs: number
  readonly inferenceMs: number
  readonly decodeMs: number
}

/** What detect() finds in one frame. */
export interface DetectResult {
  readonly detections: Detection[]
  readonly timings: DetectTimings
}

export interface SessionInfo {
  /** The first provider of the list that the session was opened with. */
  readonly provider: string
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
  /** Absent behind a runner. */
  readonly operators?: SessionOperators
  /** Reading, optimising and preparing the graph, milliseconds. */
  readonly loadMs: number
  readonly warmUp: WarmUp
}

/** An AgentError without its prototype, which threads cannot pass to each other. */
export interface PackedError {
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string | undefined
}

export type Reply =
  | { readonly kind: 'opened'; readonly info: SessionInfo }
  | { readonly kind: 'open-failed'; readonly error: PackedError }
  | ({ readonly kind: 'ran'; readonly id: number } & RunResult)
  | { readonly kind: 'detected'; readonly id: number; readonly result: DetectResult }
  | { readonly kind: 'failed'; readonly id: number; readonly error: PackedError }
  | { readonly kind: 'closed' }

/** What the thread of the reference load is started with. */
export interface ReferenceRequest {
  /** Scheduling priority of the thread, 0 to 19 (last). */
  readonly niceness: number
}

/** One run of the reference load, milliseconds. */
export interface ReferenceRun {
  readonly wallMs: number
  /** On a processor; absent where nobody counts it. */
  readonly cpuMs?: number
}
