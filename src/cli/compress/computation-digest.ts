/** Which models compute the same. Invariant: only what a file says of its hardware is left out; everything that is run counts. */

import { sha256Of } from '../../base/digest.js'
import type { Sha256 } from '../../base/sha256.js'
import { exportModel } from '../../onnx/export-model.js'
import type { Graph } from '../../onnx/graph.js'

/** Equal for models that compute the same, such as the int8 forms of one network for two processors with 8-bit products. */
export function computationDigest(graph: Graph): Sha256 {
  const metadata = [...graph.metadata].filter(([key]) => key !== 'yolo_edge.int8_target')
  return sha256Of(exportModel({ ...graph, metadata: new Map(metadata) }))
}
