import t from 'tap'

import { seededRandom } from '../../../src/base/random.js'
import { allocateGlobally, type AllocationRules } from '../../../src/compress/pruning/allocation.js'
import { findChannelGroups } from '../../../src/compress/pruning/channel-groups.js'
import { CostModel } from '../../../src/compress/pruning/cost.js'
import { outputPlaces } from '../../../src/compress/pruning/prune.js'
import { searchAllocation } from '../../../src/compress/pruning/search-allocation.js'
import { smallDetector } from './small-graphs.js'

const rules: AllocationRules = { macs: 0.7, roundTo: 2, minimumChannels: 2, minimumKeep: 0.2, limits: [] }

/** Allocations by damages of single layers, which for many a layer are far from what it does together with the others. */
function prepared(seed: number): {
  readonly layers: number
  readonly allocate: (factors: readonly number[]) => readonly number[]
  readonly damageOf: (kept: readonly number[]) => Promise<number>
  readonly macsOf: (kept: readonly number[]) => number
} {
  const graph = smallDetector(seededRandom(seed))
  const groups = findChannelGroups(graph)
  const cost = new CostModel(graph, groups, outputPlaces(graph))
  const random = seededRandom(seed + 100)
  const weights = groups.layers.map(() => 0.2 + random.next())
  const together = groups.layers.map(() => Math.exp(1.5 * random.normal()))
  const gone = (layer: number, count: number): number => 1 - count / groups.layers[layer]!.groups.length
  const full = cost.cost(groups.layers.map((layer) => layer.groups.length)).macs
  return {
    layers: groups.layers.length,
    allocate: (factors) =>
      allocateGlobally(
        groups,
        cost,
        rules,
        ({ index }, count) => factors[index]! * weights[index]! * gone(index, count),
      ),
    damageOf: (kept) =>
      Promise.resolve(
        kept.reduce((sum, count, layer) => sum + weights[layer]! * together[layer]! * gone(layer, count), 0),
      ),
    macsOf: (kept) => cost.cost(kept).macs / full,
  }
}

t.test('what layers do together is found out, within the budget', async (t) => {
  let improved = 0
  for (let seed = 1; seed <= 4; seed++) {
    const { layers, allocate, damageOf, macsOf } = prepared(seed)
    const start = await damageOf(allocate(new Array<number>(layers).fill(1)))
    const search = { allocate, damageOf, trials: 80, seed }
    const kept = await searchAllocation(layers, search)
    const found = await damageOf(kept)
    t.ok(found <= start, `seed ${seed}: ${start} -> ${found}`)
    if (found < 0.9 * start) improved++
    t.ok(macsOf(kept) <= 0.7)
    t.same(await searchAllocation(layers, search), kept, 'the same seed finds the same')
  }
  t.ok(improved >= 3, `${improved} of 4 improved by more than a tenth`)
})

t.test('no allocation is tried twice, and trials are counted', async (t) => {
  const { layers, allocate, damageOf } = prepared(3)
  const asked: string[] = []
  const told: number[] = []
  const listening = (kept: readonly number[]): Promise<number> => {
    asked.push(kept.join())
    return damageOf(kept)
  }
  const onProgress = (done: number): void => void told.push(done)
  await searchAllocation(layers, { allocate, damageOf: listening, trials: 12, seed: 1, onProgress })
  t.equal(asked.length, 13, 'the start and twelve more')
  t.equal(new Set(asked).size, asked.length)
  t.same(told, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
})

t.test(
  'without trials nothing is asked, and where there is one allocation only the search ends',
  async (t) => {
    const damageOf = (): Promise<number> => Promise.reject(new Error('asked'))
    t.same(await searchAllocation(2, { allocate: () => [8, 8], damageOf, trials: 0, seed: 1 }), [8, 8])
    const one = { allocate: () => [4, 8], damageOf: () => Promise.resolve(1), trials: 50, seed: 1 }
    t.same(await searchAllocation(2, one), [4, 8])
  },
)
