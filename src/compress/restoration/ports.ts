/** What pruning and restoration need from outside: somebody who runs graphs, and calibration samples. */

import type { Graph, ValueName } from '../../onnx/graph.js'
import type { Tensor } from '../../onnx/tensor.js'

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

/** Inputs like those of the place where the model will work. */
export interface CalibrationSamples {
  readonly count: number
  /** The feeds of one sample, by graph input; the same index gives the same values each time. */
  read(index: number): Promise<Feeds>
}
