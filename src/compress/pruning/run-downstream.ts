/** Running the part of a graph that changes, on values that do not. Invariant: unchanged values are handed on as they are. */

import type { Graph } from '../../onnx/graph.js'
import type { Feeds, GraphRunner } from '../ports.js'
import { type Downstream, subgraph } from '../restoration/subgraph.js'

/**
 * Computes of `graph` what `part` says from the other values of each sample; `use` works on all values of one sample while the next
 * is computed. Without outputs that change, it is not called.
 */
export async function runDownstream(
  graph: Graph,
  part: Downstream,
  runner: GraphRunner,
  samples: readonly Feeds[],
  use: (values: Feeds, sample: number) => void,
): Promise<void> {
  if (part.outputs.length === 0) return
  const feeds = samples.map((values) => new Map(part.inputs.map((name) => [name, values.get(name)!])))
  const open = await runner.open(subgraph(graph, new Set(part.inputs), part.outputs, feeds[0]!))
  try {
    let next = open.run(feeds[0]!)
    for (const [sample, values] of samples.entries()) {
      const changed = await next
      const following = feeds[sample + 1]
      if (following !== undefined) next = open.run(following)
      use(new Map([...values, ...changed]), sample)
    }
  } finally {
    await open.close()
  }
}
