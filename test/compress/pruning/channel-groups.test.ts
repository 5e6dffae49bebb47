import { readFileSync } from 'node:fs'
import t from 'tap'

import { seededRandom } from '../../../src/base/random.js'
import { findChannelGroups } from '../../../src/compress/pruning/channel-groups.js'
import { importModel } from '../../../src/onnx/import-model.js'
import { shared, skipWithout } from '../../helpers/paths.js'
import { GraphBuilder } from './small-graphs.js'

t.test('YOLOv8n has the known groups', { skip: skipWithout('models', 'yolov8n.onnx') }, (t) => {
  const groups = findChannelGroups(importModel(readFileSync(shared('models', 'yolov8n.onnx'))))
  t.equal(groups.count, 4960)
  const census = [1, 2, 3].map(
    (producers) => groups.producerCounts.filter((count) => count === producers).length,
  )
  t.same(census, [4720, 144, 96], 'groups of one, two and three producers')
  const frozen = [...groups.frozen.values()].reduce((sum, count) => sum + count, 0)
  t.equal(frozen, 433, 'box and class channels of three levels, and the one of the DFL expectation')
  t.equal(groups.convolutionChannels, 5729)
  t.same(groups.barriers, [])
  t.equal(groups.layers.find((layer) => layer.name === '/model.9/cv1/conv/Conv')?.groups.length, 128)
  t.ok(
    groups.layers.some((layer) => layer.name.includes('/model.22/cv3.0/cv3.0.0')),
    'hidden head channels are free',
  )
  t.end()
})

t.test('an operator without a rule is a barrier, and its channels stay', (t) => {
  const build = new GraphBuilder(seededRandom(1))
  const first = build.block('images', 3, 8)
  const odd = build.add('InstanceNormalization', [first, 'scale', 'shift'])[0]!
  const groups = findChannelGroups(build.finish([build.conv(odd, 8, 4)], 3, 8))
  t.equal(groups.count, 0)
  t.same(
    groups.barriers.map(({ opType }) => opType),
    ['InstanceNormalization'],
  )
  t.match([...groups.frozen.keys()].join('; '), /InstanceNormalization/)
  t.end()
})

t.test('channels that reach an output stay, with the reason', (t) => {
  const build = new GraphBuilder(seededRandom(1))
  const inner = build.block('images', 3, 8)
  const groups = findChannelGroups(build.finish([build.conv(inner, 8, 4)], 3, 8))
  t.equal(groups.count, 8)
  t.match([...groups.frozen.keys()][0], /reaches the output conv/)
  t.end()
})

t.test('a constant that two convolutions share couples their channels', (t) => {
  const build = new GraphBuilder(seededRandom(1))
  const left = build.block('images', 3, 8)
  const right = build.add('Conv', ['images', 'w0', 'w0_bias'], {
    kernel_shape: { kind: 'ints', value: [1, 1] },
  })[0]!
  const out = build.conv(build.concat([left, right]), 16, 4)
  const groups = findChannelGroups(build.finish([out], 3, 8))
  t.equal(groups.count, 8)
  t.ok(groups.producerCounts.every((count) => count === 2))
  t.end()
})
