/** What training needs from outside: somebody who runs graphs, and labelled pictures. */

import type { Graph, ValueName } from '../onnx/graph.js'
import type { Tensor } from '../onnx/tensor.js'
import type { TargetBox } from './loss/assign-targets.js'

/** Tensors by the name of the value of the graph that they stand for. */
export type Feeds = ReadonlyMap<ValueName, Tensor>

/** A graph that is ready to run. */
export interface OpenGraph {
  /** Computes the outputs of the graph. The caller owns the result; `feeds` may be read until this returns. */
  run(feeds: Feeds): Promise<Feeds>
  close(): Promise<void>
}

/** Tensors in shared memory, for as long as a graph is open; while it runs, only the runner touches them. */
export interface BoundArrays {
  /** Inputs that every run reads where they lie. */
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
  /** The objects of the picture with their boxes in pixels of the input. */
  readonly targets: readonly TargetBox[]
}

/** The pictures that one step learns from, with the objects in them. */
export interface Batch {
  /** `[N, 3, H, W]`, RGB, 0..1. */
  readonly images: Float32Array
  /** For each of the N pictures its objects, with boxes in pixels of the input. */
  readonly targets: readonly (readonly TargetBox[])[]
}
