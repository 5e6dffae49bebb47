/** What the agent and its trial process say to each other. Invariant: one order, then progress, then one outcome. */

import type { WireError } from '../../protocol/deployment.js'
import type { AccuracyFigures, LatencyFigures } from '../../protocol/measurement.js'
import type { SessionOptions } from '../../runtime/session-options.js'
import type { ReferenceFigures } from '../../update/ports.js'
import type { DetectionOptions } from '../../yolo/detection.js'

export interface TrialOrder {
  readonly modelPath: string
  /** The golden set; undefined when the bundle has none. */
  readonly goldenPath: string | undefined
  readonly session: SessionOptions
  /** The runner command that loads the model; undefined: ONNX Runtime does. */
  readonly runner: readonly string[] | undefined
  /** How long the provider will build its engine, milliseconds; 0 when it builds none or has it already. */
  readonly expectedBuildMs: number
  /** Of the latency runs: what serving will use. */
  readonly detection: DetectionOptions
  /** Timed runs; 0 measures accuracy only. */
  readonly runs: number
  /** What the manifest promises; another class count or input size is a fault. */
  readonly expected:
    { readonly classCount: number; readonly width: number; readonly height: number } | undefined
}

export interface TrialFindings {
  readonly provider: string
  /** Loading, building an engine, and the first runs, milliseconds. */
  readonly openMs: number
  readonly latency: LatencyFigures
  /** Time on a processor that a frame took, milliseconds; load of others does not lengthen it. Absent where nobody counts it. */
  readonly cpuMs?: number
  /** The fixed work beside the timed runs. */
  readonly reference?: ReferenceFigures
  /** What the model added to the process's memory at its peak. */
  readonly memoryBytes: number
  readonly accuracy?: AccuracyFigures
}

export type TrialMessage =
  | { readonly kind: 'progress'; readonly progress: number }
  /** The model is still being opened: time has passed, which proves nothing. */
  | { readonly kind: 'opening'; readonly progress: number }
  | { readonly kind: 'measured'; readonly findings: TrialFindings }
  | { readonly kind: 'failed'; readonly error: WireError }
