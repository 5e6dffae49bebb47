import t from 'tap'

import { seededRandom } from '../../../src/base/random.js'
import {
  allocateGlobally,
  allocateUniformly,
  allowedCounts,
  type AllocationRules,
} from '../../../src/compress/pruning/allocation.js'
import { type ChannelGroups, findChannelGroups } from '../../../src/compress/pruning/channel-groups.js'
import { CostModel } from '../../../src/compress/pruning/cost.js'
import { outputPlaces } from '../../../src/compress/pruning/prune.js'
import { costOf } from '../../../src/onnx/cost.js'
import { smallDetector } from './small-graphs.js'

const rules: AllocationRules = { macs: 0.7, roundTo: 4, minimumChannels: 2, minimumKeep: 0.2, limits: [] }

function prepared(seed: number): { groups: ChannelGroups; cost: CostModel; full: number[] } {
  const graph = smallDetector(seededRandom(seed))
  const groups = findChannelGroups(graph)
  const cost = new CostModel(graph, groups, outputPlaces(graph))
  return { groups, cost, full: groups.layers.map((layer) => layer.groups.length) }
}

t.test('the cost of all channels is the cost of the graph', (t) => {
  for (let seed = 1; seed <= 8; seed++) {
    const graph = smallDetector(seededRandom(seed))
    const groups = findChannelGroups(graph)
    const cost = new CostModel(graph, groups, outputPlaces(graph))
    const counted = costOf(graph).nodes.filter(({ node }) => node.opType === 'Conv')
    const dense = cost.cost(groups.layers.map((layer) => layer.groups.length))
    t.equal(
      dense.macs,
      counted.reduce((sum, { macs }) => sum + (macs ?? 0), 0),
    )
    t.equal(
      dense.parameters,
      counted.reduce((sum, { parameters }) => sum + parameters, 0),
    )
  }
  t.end()
})

t.test('a budget is met, and not by far more than one step of one layer', (t) => {
  const random = seededRandom(3)
  for (let seed = 1; seed <= 12; seed++) {
    const { groups, cost, full } = prepared(seed)
    const whole = cost.cost(full).macs
    const weight = groups.layers.map(() => random.next())
    const kept = allocateGlobally(groups, cost, { ...rules, macs: 0.8 }, (layer, count) => {
      const gone = (layer.groups.length - count) / layer.groups.length
      return weight[layer.index]! * gone * gone
    })
    const macs = cost.cost(kept).macs
    t.ok(macs <= 0.8 * whole, `kept ${macs / whole}`)
    const smallest = kept.flatMap((count, layer) => {
      const next = allowedCounts(groups.layers[layer]!, rules).find((allowed) => allowed > count)
      return next === undefined ? [] : [-cost.saving(kept, layer, next)]
    })
    t.ok(macs + Math.max(...smallest) > 0.8 * whole, 'nothing larger could be given back')
  }
  t.end()
})

t.test('counts are multiples within the limits of the layer', (t) => {
  const { groups, cost } = prepared(4)
  const limited = groups.layers.find((layer) => layer.groups.length >= 8)!
  const strict = { ...rules, limits: [{ layer: limited.name, keep: 1 }] }
  for (const kept of [
    allocateUniformly(groups, cost, strict),
    allocateGlobally(groups, cost, strict, (layer, count) => layer.groups.length - count),
  ]) {
    t.equal(kept[limited.index], limited.groups.length, 'the limit holds')
    groups.layers.forEach((layer, at) => {
      const size = layer.groups.length
      t.ok(kept[at] === size || kept[at]! % 4 === 0, `${layer.name} keeps ${kept[at]!} of ${size}`)
      t.ok(kept[at]! >= Math.min(size, Math.max(2, Math.ceil(0.2 * size))))
    })
  }
  t.end()
})

t.test('a uniform schedule gives every layer about the same part', (t) => {
  const { groups, cost, full } = prepared(5)
  const kept = allocateUniformly(groups, cost, { ...rules, roundTo: 1 })
  const parts = kept.map((count, at) => count / full[at]!)
  t.ok(Math.max(...parts) - Math.min(...parts) < 0.3, parts.join(' '))
  t.ok(cost.cost(kept).macs <= 0.7 * cost.cost(full).macs)
  t.end()
})

t.test('a budget that limits make impossible is refused with a layer and what stays', (t) => {
  const { groups, cost } = prepared(6)
  const impossible = { ...rules, macs: 0.05, minimumKeep: 0.9 }
  const expected = {
    code: 'compress.budget_unreachable',
    message: /keeping 0\.05 of the MACs is not possible.*[01]\.\d{3} stay; layer \S+/,
  }
  t.throws(() => allocateUniformly(groups, cost, impossible), expected)
  t.throws(() => allocateGlobally(groups, cost, impossible, () => 1), expected)
  t.throws(() => allocateUniformly(groups, cost, { ...rules, macs: 0 }), { code: 'compress.plan_invalid' })
  t.end()
})
