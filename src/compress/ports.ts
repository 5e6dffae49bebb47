/** What compression needs from outside: somebody who runs graphs, and pictures to calibrate with. */

import type { Graph, ValueName } from '../onnx/graph.js'
import type { Tensor } from '../onnx/tensor.js'

/** Values by name. */
export type Feeds = ReadonlyMap<ValueName, Tensor>

/** A graph that is ready to run. */
export interface OpenGraph {
  /** Computes the outputs of the graph. The caller owns the result; `feeds` may be read until the promise settles. */
  run(feeds: Feeds): Promise<Feeds>
  close(): Promise<void>
}

/** Runs graphs: an inference runtime. */
export interface GraphRunner {
  open(graph: Graph): Promise<OpenGraph>
}

/** Pictures like those of the place where the model will work, letterboxed to the model's input. */
export interface CalibrationImages {
  readonly count: number
  /** RGB bytes `[height, width, 3]` of picture `index`; the same index gives the same bytes each time. */
  read(index: number, size: { readonly width: number; readonly height: number }): Promise<Uint8Array>
}

/** Told between steps of long work: a stage, and how much of it is done. */
export type ReportProgress = (stage: string, done: number, total: number) => void
