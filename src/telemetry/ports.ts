/** What telemetry needs of others. Invariant: asking costs no frame; nothing here may throw. */

import type { Clock } from '../base/clock.js'
import type { LatencySummary } from '../base/histogram.js'
import type { Logger } from '../base/logger.js'
import type { AccuracyFigures } from '../protocol/measurement.js'
import type { Metrics } from '../protocol/metrics.js'
import type { Report } from '../protocol/report.js'
import type { Detection } from '../yolo/detection.js'

/** The figures of one camera: totals, and what happened since the last call. */
export interface CameraWindow {
  readonly camera: string
  readonly captured: number
  readonly dropped: number
  readonly restarts: number
  readonly processed: number
  readonly errors: number
  readonly capturedFps: number
  readonly processedFps: number
  readonly latency: { readonly inference: LatencySummary; readonly total: LatencySummary }
}

/** Which model serves, and what the bundle promised of it. */
export interface ServingIdentity {
  readonly model: string
  readonly version: string
  readonly variant: string
  readonly provider: string
}

/** One frame as it was served. */
export interface ServedFrame {
  readonly identity: { readonly model: string; readonly version: string; readonly variant: string }
  readonly classNames: readonly string[]
  readonly sourceWidth: number
  readonly sourceHeight: number
  readonly detections: readonly Detection[]
  readonly timings: {
    readonly preprocessMs: number
    readonly inferenceMs: number
    readonly decodeMs: number
  }
}

/** How the machine is; what it does not tell is absent. */
export interface MachineFigures {
  readonly temperatureC?: number
  readonly throttled?: boolean
}

export interface TelemetryPorts {
  takeCameras(): readonly CameraWindow[]
  serving(): ServingIdentity | undefined
  /** Frames on which detection failed, since the start. */
  failedFrames(): number
  machine(): Promise<MachineFigures>
  /** The serving model on the golden set of its bundle; undefined when there is none, or it was not measured. */
  accuracy(signal: AbortSignal): Promise<AccuracyFigures | undefined>
  /** Free bytes where the models are. */
  diskFreeBytes(): Promise<number | undefined>
  outbox(): { readonly depth: number; readonly dropped: number }
  connection(): { readonly publishesDropped: number; readonly reconnects: number }
  publish(metrics: Metrics): void
  report(report: Report): void
  readonly clock: Clock
  readonly logger: Logger
}
