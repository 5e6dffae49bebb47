import { readFileSync } from 'node:fs'
import t from 'tap'

import { type Random, seededRandom } from '../../../src/base/random.js'
import { type ChannelGroups, findChannelGroups } from '../../../src/compress/pruning/channel-groups.js'
import { maskChannels, removeChannels } from '../../../src/compress/pruning/remove-channels.js'
import { subgraph } from '../../../src/compress/restoration/subgraph.js'
import { checkGraph } from '../../../src/onnx/check-graph.js'
import type { Graph } from '../../../src/onnx/graph.js'
import { importModel } from '../../../src/onnx/import-model.js'
import { applyPatch } from '../../../src/onnx/patch.js'
import { shared, skipWithout } from '../../helpers/paths.js'
import { largestDifference, runOnce } from './run-once.js'
import { GraphBuilder, randomImage, smallDetector } from './small-graphs.js'

/** Random groups go; each layer keeps at least one channel. */
function randomMask(groups: ChannelGroups, random: Random): Uint8Array {
  const removed = new Uint8Array(groups.count)
  const part = 0.05 + 0.9 * random.next()
  for (const layer of groups.layers) {
    const survivor = layer.groups[random.integer(layer.groups.length)]!
    for (const group of layer.groups) if (group !== survivor && random.next() < part) removed[group] = 1
  }
  return removed
}

async function difference(graph: Graph, random: Random, size: number): Promise<number> {
  const groups = findChannelGroups(graph)
  const removed = randomMask(groups, random)
  const masked = applyPatch(graph, maskChannels(graph, groups, removed))
  const cut = applyPatch(graph, removeChannels(graph, groups, removed))
  const [violation] = checkGraph(cut)
  if (violation !== undefined) throw new TypeError(violation)
  const image = randomImage(random, size)
  return largestDifference(await runOnce(masked, image), await runOnce(cut, image))
}

// Two hundred sessions are opened; the machine may be busy.
t.setTimeout(900_000)

t.test('removing equals masking on generated graphs', async (t) => {
  const random = seededRandom(7)
  let worst = 0
  for (let round = 0; round < 24; round++) {
    worst = Math.max(worst, await difference(smallDetector(random, round % 2 === 0 ? 17 : 12), random, 32))
  }
  t.ok(worst < 1e-4, `largest difference ${worst}`)
})

t.test(
  'removing equals masking for 50 masks of YOLOv8n',
  { skip: skipWithout('models', 'yolov8n.onnx') },
  async (t) => {
    const model = importModel(readFileSync(shared('models', 'yolov8n.onnx')))
    const heads = model.nodes
      .filter((node) => /cv[23]\.\d\.2\/Conv$/.test(node.name))
      .map((node) => node.outputs[0]!)
    t.equal(heads.length, 6)
    const cut = subgraph(model, new Set(['images']), heads, new Map())
    const graph = { ...cut, inputs: [{ name: 'images', type: 'float32' as const, shape: [1, 3, 96, 96] }] }
    const random = seededRandom(11)
    let worst = 0
    for (let round = 0; round < 50; round++) worst = Math.max(worst, await difference(graph, random, 96))
    t.ok(worst < 1e-4, `largest difference ${worst}`)
  },
)

t.test(
  'removing from the whole YOLOv8n keeps its output shape',
  { skip: skipWithout('models', 'yolov8n.onnx') },
  async (t) => {
    const graph = importModel(readFileSync(shared('models', 'yolov8n.onnx')))
    const worst = await difference(graph, seededRandom(3), 640)
    t.ok(worst < 1e-2, `largest difference in pixels ${worst}`)
  },
)

t.test('Slice bounds and Resize sizes count channels', async (t) => {
  const random = seededRandom(5)
  const build = new GraphBuilder(random)
  const first = build.block('images', 3, 16, { kernel: 3 })
  for (const [name, values] of Object.entries({ start: [4], end: [12], axis: [1], sizes: [1, 8, 16, 16] })) {
    build.initializers.set(name, {
      type: 'int64',
      dims: [values.length],
      data: BigInt64Array.from(values, BigInt),
    })
  }
  const part = build.add('Slice', [first, 'start', 'end', 'axis'])[0]!
  const large = build.add('Resize', [part, '', '', 'sizes'], {
    mode: { kind: 'string', value: 'nearest' },
  })[0]!
  const graph = build.finish([build.conv(large, 8, 4), build.conv(first, 16, 4)], 3, 8)
  for (let round = 0; round < 5; round++) t.ok((await difference(graph, random, 8)) < 1e-4)
})

t.test('an empty layer is refused by name', (t) => {
  const graph = smallDetector(seededRandom(2))
  const groups = findChannelGroups(graph)
  const removed = new Uint8Array(groups.count)
  for (const group of groups.layers[0]!.groups) removed[group] = 1
  t.throws(() => removeChannels(graph, groups, removed), {
    code: 'compress.plan_invalid',
    message: /all \d+ channels along axis 0 of conv_0; at least 1 must stay/,
  })
  t.end()
})
