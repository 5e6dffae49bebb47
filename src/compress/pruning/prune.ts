/**
 * Pruning, the whole story, in one round or several: score channels, choose how many each layer keeps, cut, restore; then report.
 * Invariant: the result computes the same outputs with the same names and shapes; the given graph is not changed.
 */

import { AgentError } from '../../base/errors.js'
import { requireValidGraph } from '../../onnx/check-graph.js'
import type { Graph } from '../../onnx/graph.js'
import { applyPatch } from '../../onnx/patch.js'
import { elementCount } from '../../onnx/tensor.js'
import { shapesOf } from '../../onnx/shapes/infer-shapes.js'
import {
  type PrunedConvolutions,
  type Restoration,
  restore,
  type RestoredLayer,
} from '../restoration/restore.js'
import type { ReportProgress } from '../ports.js'
import { collectTargets } from '../restoration/targets.js'
import { type AllocationRules, allocateGlobally, allocateUniformly, reachableBudget } from './allocation.js'
import { calibrationRun } from './calibration-runs.js'
import { type Barrier, type ChannelGroups, findChannelGroups, isFilterAxis } from './channel-groups.js'
import { type Cost, CostModel, type OutputPlaces } from './cost.js'
import { chooseGroups } from './choose-groups.js'
import { keptPlaces, type RemovedGroups, removedPlaces } from './index-mapping.js'
import { removeResidualBlocks } from './layer-removal.js'
import { replaceByMeans } from './mean-replacement.js'
import {
  activationsOf,
  type Measurements,
  measurementsAfter,
  noMeasurements,
  type PrunePorts,
  type PruneWork,
  samplingOf,
  scoresOf,
  sensitivityOf,
} from './measurements.js'
import { parsePrunePlan, type PrunePlan, type PrunePlanInput, roundsOf } from './prune-plan.js'
import { removeChannels } from './remove-channels.js'
import { damageAt } from './sensitivity.js'

export interface PrunedLayer {
  readonly name: string
  readonly channels: number
  readonly kept: number
}

export interface PruneReport {
  readonly plan: PrunePlan
  readonly before: Cost
  readonly after: Cost
  /** Layers that lost channels. */
  readonly layers: readonly PrunedLayer[]
  readonly removedBlocks: readonly string[]
  /** Operators without a coupling rule: the channels that reach them had to stay. */
  readonly barriers: readonly Barrier[]
  readonly restored: readonly RestoredLayer[]
}

/**
 * Prunes `graph` as `plan` says. Of several rounds each takes as much as the others, and looks anew at what the round before has
 * fitted: cuts that are harmless one by one are not together. Throws `compress.plan_invalid` or `compress.budget_unreachable`.
 */
export async function prune(
  graph: Graph,
  plan: PrunePlanInput,
  ports: PrunePorts,
): Promise<{ graph: Graph; report: PruneReport }> {
  const checked = parsePrunePlan(plan)
  const { macs } = checked
  const rounds = roundsOf(checked)
  const before = fullCost(graph, findChannelGroups(graph))
  const bare = removeResidualBlocks(graph, checked.remove_blocks)
  const groups = findChannelGroups(bare)
  const start: Start = { graph, channels: channelsOf(groups), macs: before.macs }
  const cost = costModel(bare, groups)
  reachableBudget(groups, cost, allocationRules(checked, start, macs, fullMacs(cost, groups)))
  let state: Pruned = {
    graph: bare,
    measured: ports.measured ?? noMeasurements(),
    keptRows: new Map(),
    restored: new Map(),
  }
  for (let round = 1; round <= rounds; round++) {
    const told = rounds === 1 ? ports : { ...ports, onProgress: inRound(round, rounds, ports.onProgress) }
    state = await pruneRound(state, start, {
      plan: checked,
      ports: told,
      macs: 1 - (1 - macs) * (round / rounds),
    })
  }
  requireValidGraph(state.graph)
  const after = findChannelGroups(state.graph)
  const kept = channelsOf(after)
  const report: PruneReport = {
    plan: { ...checked, rounds },
    before,
    after: fullCost(state.graph, after),
    layers: [...start.channels].flatMap(([name, channels]) =>
      kept.get(name) === channels ? [] : [{ name, channels, kept: kept.get(name) ?? 0 }],
    ),
    removedBlocks: checked.remove_blocks,
    barriers: groups.barriers,
    restored: [...state.restored.values()],
  }
  return { graph: state.graph, report }
}

/** What all rounds refer to. */
interface Start {
  /** The graph whose answers are restored. */
  readonly graph: Graph
  /** Channels by layer name. */
  readonly channels: ReadonlyMap<string, number>
  readonly macs: number
}

/** What the rounds so far have left. */
interface Pruned {
  readonly graph: Graph
  readonly measured: Measurements
  /** The first output channels that a convolution still has, by its name; all where absent. */
  readonly keptRows: ReadonlyMap<string, readonly number[]>
  readonly restored: ReadonlyMap<string, RestoredLayer>
}

/** Cuts down to `macs` of those of the start. */
async function pruneRound(
  { graph, measured, keptRows, restored }: Pruned,
  start: Start,
  { macs, plan, ports }: { readonly macs: number; readonly plan: PrunePlan; readonly ports: PrunePorts },
): Promise<Pruned> {
  const groups = findChannelGroups(graph)
  const work: PruneWork = { graph, groups, plan, ports, measured }
  const cost = costModel(graph, groups)
  const scores = await scoresOf(work)
  const kept = await allocate(work, cost, scores, allocationRules(plan, start, macs, fullMacs(cost, groups)))
  const removed = chooseGroups(groups, scores, (layer) => kept[layer.index]!)
  const rows = rowsAfter(groups, removed, keptRows)
  const cut = await cutChannels(work, removed)
  const restoration = await restoreCut({ ...work, graph: cut }, start.graph, {
    keptRows: rows,
    changed: changedBy(work, removed),
  })
  return {
    graph: restoration.graph,
    measured: measurementsAfter(measured),
    keptRows: rows,
    restored: new Map([...restored, ...restoration.layers.map((layer) => [layer.name, layer] as const)]),
  }
}

/** Output places of every convolution. Throws `model.op_unsupported` where shapes are open. */
export function outputPlaces(graph: Graph): OutputPlaces {
  const shapes = shapesOf(graph)
  const places = new Map<string, number>()
  for (const node of graph.nodes) {
    if (node.opType !== 'Conv' && node.opType !== 'ConvTranspose') continue
    const shape = shapes.staticShapeOf(node.outputs[0]!)
    if (shape === undefined) {
      throw new AgentError(
        'model.op_unsupported',
        `the output size of ${node.name} is not known, expected an export with a fixed input size`,
        { hint: 'Export with dynamic=False, or fix the input size first.' },
      )
    }
    places.set(node.name, elementCount(shape.slice(2)))
  }
  return places
}

function fullCounts(groups: ChannelGroups): readonly number[] {
  return groups.layers.map((layer) => layer.groups.length)
}

function channelsOf(groups: ChannelGroups): ReadonlyMap<string, number> {
  return new Map(groups.layers.map((layer) => [layer.name, layer.groups.length]))
}

function costModel(graph: Graph, groups: ChannelGroups): CostModel {
  return new CostModel(graph, groups, outputPlaces(graph))
}

function fullCost(graph: Graph, groups: ChannelGroups): Cost {
  return costModel(graph, groups).cost(fullCounts(groups))
}

function fullMacs(cost: CostModel, groups: ChannelGroups): number {
  return cost.cost(fullCounts(groups)).macs
}

/** Says which round it is. */
function inRound(round: number, rounds: number, onProgress: ReportProgress | undefined): ReportProgress {
  return (stage, done, total) => onProgress?.(`round ${round} of ${rounds}: ${stage}`, done, total)
}

/** @param macs what is to stay of the start; @param now what the graph has */
function allocationRules(plan: PrunePlan, start: Start, macs: number, now: number): AllocationRules {
  return {
    macs: Math.min(1, (macs * start.macs) / now),
    roundTo: plan.round_to,
    minimumChannels: plan.minimum_channels,
    minimumKeep: plan.minimum_keep,
    limits: plan.limits,
    fullSizes: start.channels,
  }
}

async function allocate(
  work: PruneWork,
  cost: CostModel,
  scores: Float64Array,
  rules: AllocationRules,
): Promise<readonly number[]> {
  const { groups, plan } = work
  if (plan.schedule === 'uniform') return allocateUniformly(groups, cost, rules)
  if (plan.schedule === 'global') {
    const sorted = groups.layers.map((layer) =>
      [...layer.groups].map((group) => scores[group]!).sort((a, b) => a - b),
    )
    return allocateGlobally(groups, cost, rules, (layer, kept) =>
      sorted[layer.index]!.slice(0, layer.groups.length - kept).reduce((sum, score) => sum + score, 0),
    )
  }
  const sensitivity = await sensitivityOf(work, scores)
  return allocateGlobally(groups, cost, rules, (layer, kept) => damageAt(sensitivity, layer, kept))
}

async function cutChannels(work: PruneWork, removed: RemovedGroups): Promise<Graph> {
  const { graph, groups, plan } = work
  const prepared =
    plan.restore === 'mean'
      ? applyPatch(graph, replaceByMeans(graph, groups, removed, await activationsOf(work)))
      : graph
  return applyPatch(prepared, removeChannels(prepared, groups, removed))
}

/** Fits the graph of `work`, which was cut, to what `original` answers. */
async function restoreCut(
  work: PruneWork,
  original: Graph,
  pruned: PrunedConvolutions,
): Promise<Restoration> {
  const { graph, plan, ports, measured } = work
  if (plan.restore !== 'bias' && plan.restore !== 'lsq') return { graph, layers: [] }
  const whole = { ...work, graph: original }
  if (measured.targets === undefined) ports.onProgress?.('observing answers', 0, 1)
  measured.targets ??= await collectTargets(calibrationRun(whole), await samplingOf(whole))
  return restore(
    calibrationRun(work),
    measured.targets,
    pruned,
    { method: plan.restore, ridge: plan.ridge, steps: plan.steps },
    (done, total) => ports.onProgress?.('restore', done, total),
  )
}

/** The first output channels that are left of each convolution. */
function rowsAfter(
  groups: ChannelGroups,
  removed: RemovedGroups,
  before: Pruned['keptRows'],
): Pruned['keptRows'] {
  const rows = new Map(before)
  for (const axis of groups.axes.filter(isFilterAxis)) {
    const known = before.get(axis.node.name)
    const places = keptPlaces(axis.groups, removed)
    rows.set(axis.node.name, known === undefined ? places : places.map((place) => known[place]!))
  }
  return rows
}

/** Convolutions that read fewer channels than before, or after whole blocks have gone any. */
function changedBy({ graph, groups, plan }: PruneWork, removed: RemovedGroups): ReadonlySet<string> {
  const readers = groups.axes.filter(
    (axis) => axis.role === 'consumes' && removedPlaces(axis.groups, removed).length > 0,
  )
  const all = plan.remove_blocks.length > 0 ? graph.nodes.filter(({ opType }) => opType === 'Conv') : []
  return new Set([...readers.map(({ node }) => node.name), ...all.map(({ name }) => name)])
}
