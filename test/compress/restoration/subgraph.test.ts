import t from 'tap'
import { seededRandom } from '../../../src/base/random.js'
import { graphRunner } from '../../../src/cli/compress/graph-runner.js'
import { samplesOf } from '../../../src/compress/calibration-samples.js'
import type { Feeds } from '../../../src/compress/ports.js'
import { observe } from '../../../src/compress/restoration/observe.js'
import { downstreamOf, subgraph } from '../../../src/compress/restoration/subgraph.js'
import type { Graph, Node } from '../../../src/onnx/graph.js'
import { applyPatch } from '../../../src/onnx/patch.js'
import { floatTensor } from '../../../src/onnx/tensor.js'
import { noiseImages, smallDetector } from '../pruning/small-graphs.js'

const runner = graphRunner({ intraOpThreads: 1 })

async function run(graph: Graph, feeds: Feeds): Promise<Feeds> {
  const open = await runner.open(graph)
  try {
    return await open.run(feeds)
  } finally {
    await open.close()
  }
}

function withDoubledWeights(graph: Graph, { inputs }: Node): Graph {
  const weights = graph.initializers.get(inputs[1]!)!
  const doubled = floatTensor(
    [...weights.dims],
    Float32Array.from(weights.data as Float32Array, (w) => 2 * w),
  )
  return applyPatch(graph, { initializers: [[inputs[1]!, doubled]] })
}

function largestDifference(left: Feeds, right: Feeds, names: readonly string[]): number {
  let largest = 0
  for (const name of names) {
    const [a, b] = [left.get(name)!.data as Float32Array, right.get(name)!.data as Float32Array]
    for (let at = 0; at < a.length; at++) largest = Math.max(largest, Math.abs(a[at]! - b[at]!))
  }
  return largest
}

t.test('what lies downstream of a change, computed alone, is what the whole graph computes', async (t) => {
  const graph = smallDetector(seededRandom(61))
  const convolutions = graph.nodes.filter(({ opType }) => opType === 'Conv')
  const samples = samplesOf(graph, noiseImages(1))
  const feeds = await samples.read(0)
  const outputs = graph.outputs.map(({ name }) => name)
  const before = await run(graph, feeds)
  for (const node of convolutions) {
    const part = downstreamOf(graph, [node])
    const changed = withDoubledWeights(graph, node)
    const after = await run(changed, feeds)
    let known: Feeds = new Map()
    await observe({ graph, runner, samples }, [...part.inputs, ...outputs], (_, values) => {
      known = new Map(part.inputs.map((name) => [name, values.get(name)!]))
    })
    const alone = await run(subgraph(changed, new Set(part.inputs), part.outputs, known), known)
    t.ok(part.outputs.length > 0, node.name)
    t.ok(largestDifference(after, alone, part.outputs) < 1e-4, `${node.name}: the same values`)
    t.ok(largestDifference(before, after, part.outputs) > 1e-3, `${node.name}: which are not those before`)
    const untouched = outputs.filter((name) => !part.outputs.includes(name))
    t.equal(largestDifference(before, after, untouched), 0, `${node.name}: other outputs do not change`)
  }
  const last = downstreamOf(graph, [convolutions.at(-1)!])
  t.same(last.outputs, [outputs.at(-1)])
  t.equal(last.inputs.length, 1)
})
