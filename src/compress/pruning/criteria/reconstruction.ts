/**
 * How badly the readers of a channel miss it after all other channels have been re-fitted: channels leave a layer one
 * by one, the cheapest first, and each gets the error that its leaving added.
 * Formula: optimal brain surgeon by blocks, see restoration/elimination.
 */

import { present } from '../../../base/assert.js'
import { AgentError } from '../../../base/errors.js'
import { elementCount } from '../../../onnx/tensor.js'
import type { Graph } from '../../../onnx/graph.js'
import { Elimination } from '../../restoration/elimination.js'
import { packRows } from '../../restoration/packed-weights.js'
import type { ChannelGroups, GroupedAxis } from '../channel-groups.js'
import type { InputMoments } from '../../restoration/input-moments.js'
import { type Criterion, type PlaceScores } from './criterion.js'

const ridge = 1e-3

/** Scores are summed relative errors of all readers; they rise in the order of leaving. */
export const reconstructionError: Criterion = ({ graph, groups, moments }) => {
  if (moments === undefined) {
    throw new AgentError(
      'compress.plan_invalid',
      'the reconstruction criterion needs calibration samples, and none were given',
      { hint: 'Give calibration images, or choose the criterion l1 or l2.' },
    )
  }
  const scores = new Float64Array(groups.count)
  for (const layer of groups.layers) scoreLayer(graph, groups, { list: layer.groups, moments }, scores)
  return spread(groups, scores)
}

interface Reader {
  readonly elimination: Elimination
  /** The unknowns of each group. */
  readonly places: ReadonlyMap<number, readonly number[]>
}

function scoreLayer(
  graph: Graph,
  groups: ChannelGroups,
  layer: { readonly list: Int32Array; readonly moments: InputMoments },
  scores: Float64Array,
): void {
  const members = new Set(layer.list)
  const readers = groups.axes
    .filter((axis) => axis.role === 'consumes' && axis.groups.some((group) => members.has(group)))
    .flatMap((axis) => readerOf(graph, axis, members, layer.moments))
  let floor = 0
  // What is left at the end is never pruned; its order still follows the cost.
  const last = Math.max(1, Math.floor(layer.list.length / 4))
  while (members.size > 0) {
    const costs = [...members].map((group) => [group, costOf(readers, group)] as const)
    costs.sort((a, b) => a[1] - b[1])
    const leaving = members.size <= last ? costs : costs.slice(0, 1)
    for (const [group, cost] of leaving) {
      floor = Math.max(floor, cost)
      scores[group] = floor
      members.delete(group)
      if (leaving.length === 1)
        for (const { elimination, places } of readers) elimination.remove(places.get(group) ?? [])
    }
  }
}

function costOf(readers: readonly Reader[], group: number): number {
  let cost = 0
  for (const { elimination, places } of readers) {
    const own = places.get(group)
    if (own !== undefined) cost += elimination.cost(own)
  }
  return cost
}

function readerOf(
  graph: Graph,
  axis: GroupedAxis,
  members: ReadonlySet<number>,
  moments: InputMoments,
): readonly Reader[] {
  const own = moments.get(axis.node.name)
  if (own === undefined) return []
  const weight = present(graph.initializers.get(axis.initializer), axis.initializer)
  const kernel = elementCount(weight.dims.slice(2))
  const places = new Map<number, number[]>()
  axis.groups.forEach((group, place) => {
    if (!members.has(group)) return
    const list = places.get(group) ?? []
    for (let at = 0; at < kernel; at++) list.push(place * kernel + at)
    places.set(group, list)
  })
  return [{ elimination: new Elimination(packRows(axis.node, graph.initializers), own, ridge), places }]
}

/** Places of the first axis of each group carry its score; one axis is enough. */
function spread(groups: ChannelGroups, scores: Float64Array): PlaceScores {
  const spreadScores = new Map<GroupedAxis, Float64Array>()
  for (const axis of groups.axes) {
    if (axis.role !== 'consumes') continue
    spreadScores.set(
      axis,
      Float64Array.from(axis.groups, (group) => (group < 0 ? 0 : scores[group]!)),
    )
  }
  return spreadScores
}
