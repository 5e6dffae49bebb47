/**
 * What import keeps of a file beside the graph, and export writes back: fields this tool has no word for.
 * Invariant: nothing here influences what the graph computes.
 */

import type { UnknownField } from '@bufbuild/protobuf'
import type { GraphProto, ModelProto } from './proto/onnx_pb.js'
import type { Tensor } from './tensor.js'

/** `Graph.carried`: the file's model and graph messages, without the parts that Graph holds. */
export class CarriedModel {
  readonly model: ModelProto
  readonly graph: GraphProto

  constructor(model: ModelProto, graph: GraphProto) {
    this.model = model
    this.graph = graph
  }
}

/** `Node.carried`: the rest of a NodeProto. */
export class CarriedNode {
  readonly docString: string
  readonly overload: string
  readonly unknown: readonly UnknownField[]

  constructor(docString: string, overload: string, unknown: readonly UnknownField[]) {
    this.docString = docString
    this.overload = overload
    this.unknown = unknown
  }
}

/** The unknown fields of tensors read from files. A tensor that a pass makes anew has none. */
export const carriedByTensor = new WeakMap<Tensor, readonly UnknownField[]>()
