/**
 * Walking a graph from convolution to convolution over all calibration samples at once.
 * Before each convolution its input is at hand for every sample, computed with the weights as they are then; so
 * whatever the visitor changes is seen by all later ones.
 * Invariant: each node runs once per sample; memory is samples * the widest set of values that later nodes read.
 */

import { present } from '../../base/assert.js'
import { type Graph, indexOf, type Node, type ValueName } from '../../onnx/graph.js'
import type { Tensor } from '../../onnx/tensor.js'
import type { CalibrationSamples } from '../calibration-samples.js'
import type { GraphRunner } from '../ports.js'
import { subgraph } from './subgraph.js'

/** Called for each convolution in order; may change `weights`. `inputs` are its input by sample, lent. */
type Visit = (node: Node, inputs: readonly Tensor[]) => Promise<void>

/**
 * @param stops the nodes to stop at, in the order of `graph`
 * @param weights the constants of `graph`, by name; read anew for each stretch
 */
export async function walkConvolutions(
  run: { readonly graph: Graph; readonly runner: GraphRunner; readonly samples: CalibrationSamples },
  stops: readonly Node[],
  weights: ReadonlyMap<ValueName, Tensor>,
  visit: Visit,
): Promise<void> {
  const { graph, samples } = run
  const needed = ancestors(graph, stops)
  const live: Map<ValueName, Tensor>[] = []
  for (let sample = 0; sample < samples.count; sample++) live.push(new Map(await samples.read(sample)))
  for (const stop of stops) {
    const known = present(live[0], 'there is at least one sample')
    const input = stop.inputs[0]!
    if (!known.has(input)) {
      const position = graph.nodes.indexOf(stop)
      const done = graph.nodes.slice(0, position)
      const later = new Set(
        graph.nodes.slice(position).flatMap((node) => (needed.has(node) ? node.inputs : [])),
      )
      const made = new Set(done.filter((node) => needed.has(node)).flatMap((node) => node.outputs))
      const wanted = [...made].filter((value) => later.has(value) && !known.has(value) && value !== '')
      await advance({ ...run, graph: { ...graph, initializers: weights } }, live, wanted, later)
    }
    await visit(
      stop,
      live.map((values) => present(values.get(input), `${input} was computed`)),
    )
  }
}

async function advance(
  run: { readonly graph: Graph; readonly runner: GraphRunner },
  live: readonly Map<ValueName, Tensor>[],
  wanted: readonly ValueName[],
  later: ReadonlySet<ValueName>,
): Promise<void> {
  const first = present(live[0], 'there is at least one sample')
  const piece = subgraph(run.graph, new Set(first.keys()), wanted, first)
  const open = await run.runner.open(piece)
  try {
    for (const values of live) {
      const feeds = new Map(piece.inputs.map(({ name }) => [name, present(values.get(name), name)] as const))
      const made = await open.run(feeds)
      for (const [name, tensor] of made) values.set(name, tensor)
      for (const name of [...values.keys()]) if (!later.has(name)) values.delete(name)
    }
  } finally {
    await open.close()
  }
}

function ancestors(graph: Graph, nodes: readonly Node[]): ReadonlySet<Node> {
  const index = indexOf(graph)
  const found = new Set<Node>()
  const open = [...nodes]
  while (open.length > 0) {
    const node = open.pop()!
    if (found.has(node)) continue
    found.add(node)
    for (const input of node.inputs) {
      const producer = index.producerOf(input)
      if (producer !== undefined) open.push(producer)
    }
  }
  return found
}
