/** What training needs from outside: somebody who runs graphs, and labelled pictures. */

import type { Graph, ValueName } from '../onnx/graph.js'
import type { Tensor } from '../onnx/tensor.js'
import type { TargetBox } from './loss/assign-targets.js'

/** Values by name. */
export type Feeds = ReadonlyMap<ValueName, Tensor>

/** A graph that is ready to run. */
export interface OpenGraph {
  /** Computes the outputs of the graph. The caller owns the result; `feeds` may be read until this returns. */
  run(feeds: Feeds): Promise<Feeds>
  close(): Promise<void>
}

/** Tensors in shared memory, for as long as a graph is open; while it runs, only the runner touches them. */
export interface BoundArrays {
  /** Inputs that every run reads. */
  readonly inputs: Feeds
  /** Outputs that every run writes instead of returning them. */
  readonly outputs: Feeds
}

/** Runs graphs: an inference runtime. */
export interface GraphRunner {
  /** Threads that a graph computes with; while none does, others may work with as many. Default: 1. */
  readonly threads?: number
  open(graph: Graph, bound?: BoundArrays): Promise<OpenGraph>
}

/** A picture of the size of the network's input, with what it shows. */
export interface Sample {
  /** RGB bytes `[height, width, 3]`; borrowed, never written. */
  readonly pixels: Uint8Array
  /** In input pixels. */
  readonly targets: readonly TargetBox[]
}

/** What one step learns from. */
export interface Batch {
  /** `[N, 3, H, W]`, RGB, 0..1. */
  readonly images: Float32Array
  /** By picture. */
  readonly targets: readonly (readonly TargetBox[])[]
}
