/** Running graphs once and comparing what they answer. */

import type { Feeds } from '../../../src/compress/ports.js'
import type { Graph } from '../../../src/onnx/graph.js'
import { graphRunner } from '../../../src/cli/compress/graph-runner.js'

const runner = graphRunner({ intraOpThreads: 1 })

/** Runs a graph once. */
export async function runOnce(graph: Graph, feeds: Feeds): Promise<Feeds> {
  const open = await runner.open(graph)
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
