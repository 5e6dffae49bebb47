/** The port that compression needs, over this project's own sessions. */

import type { Graph } from '../../../src/onnx/graph.js'
import { exportModel } from '../../../src/onnx/export-model.js'
import type { Feeds, GraphRunner } from '../../../src/compress/restoration/ports.js'
import { openTensorSession } from '../../../src/runtime/tensor-session.js'

/** Runs graphs in ONNX Runtime. */
export const graphRunner: GraphRunner = {
  async open(graph: Graph) {
    const session = await openTensorSession(exportModel(graph))
    return {
      run: (feeds) => session.run(feeds),
      close: () => session.close(),
    }
  },
}

/** Runs a graph once. */
export async function runOnce(graph: Graph, feeds: Feeds): Promise<Feeds> {
  const open = await graphRunner.open(graph)
  try {
    return await open.run(feeds)
  } finally {
    await open.close()
  }
}

/** The largest absolute difference between two sets of outputs. */
export function largestDifference(left: Feeds, right: Feeds): number {
  let largest = 0
  for (const [name, tensor] of left) {
    const other = right.get(name)
    if (other?.data.length !== tensor.data.length) return Infinity
    for (let at = 0; at < tensor.data.length; at++) {
      largest = Math.max(largest, Math.abs(Number(tensor.data[at]) - Number(other.data[at])))
    }
  }
  return largest
}
