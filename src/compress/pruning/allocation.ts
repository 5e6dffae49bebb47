/**
 * How many channels each layer keeps so that the whole graph meets a budget of multiply-accumulates.
 * Invariant: counts are allowed ones (rounded, within the limits of the layer); the budget is met, or
 * `compress.budget_unreachable` names the most that the limits permit.
 */

import { AgentError } from '../../base/errors.js'
import type { ChannelGroups, ChannelLayer } from './channel-groups.js'
import type { CostModel } from './cost.js'

/** A floor for the layers whose name begins with `layer`. */
export interface LayerLimit {
  readonly layer: string
  /** Part of its channels that stays at least; 1 leaves it alone. */
  readonly keep: number
}

export interface AllocationRules {
  /** Part of the multiply-accumulates to keep, in (0, 1]. */
  readonly macs: number
  /** Kept counts are multiples of this: 16 suits the blocked kernels of ONNX Runtime, 8 still aligns. */
  readonly roundTo: number
  /** No layer keeps fewer channels. */
  readonly minimumChannels: number
  /** No layer keeps a smaller part. */
  readonly minimumKeep: number
  readonly limits: readonly LayerLimit[]
  /** Of how many channels a layer keeps a part, by its name, where it has lost some already. */
  readonly fullSizes?: ReadonlyMap<string, number>
}

/** What keeping `kept` channels of a layer costs in quality; rises as `kept` falls, 0 for all. */
export type Damage = (layer: ChannelLayer, kept: number) => number

/** The counts a layer may keep, rising; the last is all its channels. */
export function allowedCounts(layer: ChannelLayer, rules: AllocationRules): readonly number[] {
  const size = layer.groups.length
  const limit = rules.limits.findLast((entry) => layer.name.startsWith(entry.layer))?.keep ?? 0
  const full = rules.fullSizes?.get(layer.name) ?? size
  const floor = Math.max(rules.minimumChannels, Math.ceil(full * Math.max(rules.minimumKeep, limit)), 1)
  const counts: number[] = []
  for (let count = Math.ceil(floor / rules.roundTo) * rules.roundTo; count < size; count += rules.roundTo) {
    counts.push(count)
  }
  return [...counts, size]
}

/**
 * Global allocation: the layer that gives most savings for its damage shrinks first, however many steps at a time;
 * at the end what the budget leaves over is given back where it heals most.
 * @returns kept channels by layer
 */
export function allocateGlobally(
  groups: ChannelGroups,
  cost: CostModel,
  rules: AllocationRules,
  damage: Damage,
): readonly number[] {
  const allowed = groups.layers.map((layer) => allowedCounts(layer, rules))
  const kept = groups.layers.map((layer) => layer.groups.length)
  const budget = reachableBudget(groups, cost, rules)
  const tables = groups.layers.map(
    (layer, at) => new Map(allowed[at]!.map((count) => [count, damage(layer, count)])),
  )
  let macs = cost.cost(kept).macs
  while (macs > budget) {
    const move = bestMove(kept, allowed, tables, cost)
    if (move === undefined) break
    kept[move.layer] = move.count
    macs = cost.cost(kept).macs
  }
  giveBack(kept, { allowed, tables, budget, cost })
  return kept
}

/** Uniform allocation: every layer keeps the same part, rounded; the largest part that meets the budget. */
export function allocateUniformly(
  groups: ChannelGroups,
  cost: CostModel,
  rules: AllocationRules,
): readonly number[] {
  const allowed = groups.layers.map((layer) => allowedCounts(layer, rules))
  const budget = reachableBudget(groups, cost, rules)
  for (let part = 1; part > 0; part -= 1 / 256) {
    const kept = groups.layers.map((layer, at) => nearest(allowed[at]!, part * layer.groups.length))
    if (cost.cost(kept).macs <= budget) return kept
  }
  return allowed.map((counts) => counts[0]!)
}

function nearest(counts: readonly number[], wanted: number): number {
  return counts.reduce((best, count) => (Math.abs(count - wanted) < Math.abs(best - wanted) ? count : best))
}

/** The multiply-accumulates that may stay. Throws `compress.budget_unreachable` where the limits keep more. */
export function reachableBudget(groups: ChannelGroups, cost: CostModel, rules: AllocationRules): number {
  if (!(rules.macs > 0 && rules.macs <= 1)) {
    throw new AgentError(
      'compress.plan_invalid',
      `the budget of MACs is ${rules.macs}, expected a part in (0, 1]`,
    )
  }
  const allowed = groups.layers.map((layer) => allowedCounts(layer, rules))
  const all = cost.cost(groups.layers.map((layer) => layer.groups.length)).macs
  const least = cost.cost(allowed.map((counts) => counts[0]!)).macs
  if (least <= rules.macs * all) return rules.macs * all
  const stuck = groups.layers.find((_, at) => allowed[at]!.length === 1) ?? groups.layers[0]
  throw new AgentError(
    'compress.budget_unreachable',
    `keeping ${rules.macs} of the MACs is not possible: with counts rounded to ${rules.roundTo}, at least ` +
      `${rules.minimumChannels} channels and ${rules.minimumKeep} of each layer kept, ` +
      `${(least / all).toFixed(3)} stay${stuck === undefined ? '' : `; layer ${stuck.name} is one that cannot shrink further`}`,
  )
}

function bestMove(
  kept: readonly number[],
  allowed: readonly (readonly number[])[],
  tables: readonly ReadonlyMap<number, number>[],
  cost: CostModel,
): { readonly layer: number; readonly count: number } | undefined {
  let best: { layer: number; count: number } | undefined
  let bestRatio = Infinity
  kept.forEach((now, layer) => {
    for (const count of allowed[layer]!) {
      if (count >= now) break
      const saved = cost.saving(kept, layer, count)
      if (saved <= 0) continue
      const ratio = Math.max(0, tables[layer]!.get(count)! - tables[layer]!.get(now)!) / saved
      if (ratio < bestRatio) {
        bestRatio = ratio
        best = { layer, count }
      }
    }
  })
  return best
}

function giveBack(
  kept: number[],
  about: {
    readonly allowed: readonly (readonly number[])[]
    readonly tables: readonly ReadonlyMap<number, number>[]
    readonly budget: number
    readonly cost: CostModel
  },
): void {
  for (;;) {
    const macs = about.cost.cost(kept).macs
    let best: { layer: number; count: number; healed: number } | undefined
    kept.forEach((now, layer) => {
      for (const count of about.allowed[layer]!) {
        if (count <= now || macs - about.cost.saving(kept, layer, count) > about.budget) continue
        const healed = about.tables[layer]!.get(now)! - about.tables[layer]!.get(count)!
        if (healed > (best?.healed ?? 0)) best = { layer, count, healed }
      }
    })
    if (best === undefined) return
    kept[best.layer] = best.count
  }
}
