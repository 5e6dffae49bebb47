/**
 * The parts of one compression: each takes a graph in edge form and gives a smaller or faster one.
 * Invariant: a step writes no file; what it did is data for the report.
 */

import type { CalibrationImages, GraphRunner } from '../../compress/ports.js'
import type { Graph } from '../../onnx/graph.js'

/** What every step may use. */
export interface StepContext {
  readonly runner: GraphRunner
  /** Pictures to look at the model with; reading them throws where the user gave none. */
  readonly images: CalibrationImages
  /** The start of every choice by chance. */
  readonly seed: number
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
