/** A graph with integers in it, and where the values of the float graph are found in it. */

import type { Graph, ValueName } from '../../onnx/graph.js'

export interface HeldValue {
  /** The value that holds it in the quantised graph. */
  readonly name: ValueName
  /** Its scale and zero point as values of the quantised graph, where it holds integers. */
  readonly params: readonly [ValueName, ValueName] | undefined
  /** `[1, h, w, C]`, else `[1, C, h, w]`. */
  readonly channelsLast: boolean
}

export interface QuantizedGraph {
  readonly graph: Graph
  /** By name in the float graph: the values that were quantised. */
  readonly held: ReadonlyMap<ValueName, HeldValue>
}
