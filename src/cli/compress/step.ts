/**
 * The parts of one compression: each takes a graph in edge form and gives a smaller or faster one.
 * Invariant: a step writes no file; what it did is data for the report.
 */

import type { CalibrationImages, GraphRunner } from '../../compress/ports.js'
import type { Graph } from '../../onnx/graph.js'

/** Accuracy of a model on the user's labelled pictures, 0..1. */
export interface MeasuredAccuracy {
  readonly map: number
  readonly map50: number
}

/** What every step may use. */
export interface StepContext {
  readonly runner: GraphRunner
  /** Pictures to look at the model with; reading them throws where the user gave none. */
  readonly images: CalibrationImages
  /** Measures a graph on labelled pictures, where the user gave some; `label` stands behind the progress bar. */
  readonly measure?: (graph: Graph, label: string) => Promise<MeasuredAccuracy>
  /** Called with 0..1 while the step works. */
  readonly onProgress: (fraction: number, detail?: string) => void
}

export interface StepResult {
  readonly graph: Graph
  /** For report.json, snake_case. */
  readonly report: object
  /** What was achieved, for people: one line. */
  readonly summary?: string
}

export interface CompressStep {
  /** Of the row in the report, and before the progress bar: `int8`. */
  readonly name: string
  readonly run: (graph: Graph, context: StepContext) => Promise<StepResult>
}
