/**
 * Pruning, the whole story: score channels, choose how many each layer keeps, cut, restore, report.
 * Invariant: the result computes the same outputs with the same names and shapes; the given graph is not changed.
 */

import { AgentError } from '../../base/errors.js'
import { requireValidGraph } from '../../onnx/check-graph.js'
import type { Graph, ValueName } from '../../onnx/graph.js'
import { applyPatch } from '../../onnx/patch.js'
import { elementCount } from '../../onnx/tensor.js'
import { shapesOf } from '../../onnx/shapes/infer-shapes.js'
import { collectInputMoments, type InputMoments } from '../restoration/input-moments.js'
import { type CalibrationSamples, samplesOf } from '../calibration-samples.js'
import type { CalibrationImages, GraphRunner, ReportProgress } from '../ports.js'
import { type InterestMap, measureInterest } from '../restoration/interest.js'
import type { SamplingOptions } from '../restoration/sample-places.js'
import { type PrunedConvolutions, restore, type RestoredLayer } from '../restoration/restore.js'
import { collectTargets, type Targets } from '../restoration/targets.js'
import { type ActivationStatistics, measureActivations } from './activation-statistics.js'
import { groupScores } from './aggregate.js'
import { type AllocationRules, allocateGlobally, allocateUniformly } from './allocation.js'
import {
  type Barrier,
  type ChannelGroups,
  findChannelGroups,
  isFilterAxis,
  readingAxes,
} from './channel-groups.js'
import { type Cost, CostModel, type OutputPlaces } from './cost.js'
import { activationScore } from './criteria/activation.js'
import type { Criterion, PlaceScores } from './criteria/criterion.js'
import { FilterEffects, gradientTaylor } from './criteria/gradient.js'
import { randomScore } from './criteria/random.js'
import { reconstructionError } from './criteria/reconstruction.js'
import { l1Norm, l2Norm } from './criteria/weight-norm.js'
import { keptPlaces, removedGroups, type RemovedGroups, removedPlaces } from './index-mapping.js'
import { removeResidualBlocks } from './layer-removal.js'
import { replaceByMeans } from './mean-replacement.js'
import { parsePrunePlan, type PrunePlan, type PrunePlanInput } from './prune-plan.js'
import { removeChannels } from './remove-channels.js'
import { damageAt, measureSensitivity, type Sensitivity } from './sensitivity.js'

/** Gradients of a loss for each of some weights of a graph, by name. */
export type Gradients = ReadonlyMap<ValueName, Float32Array>

/** Computes gradients sample by sample. */
export interface GradientSource {
  /** Calls `visit` with the gradients of each sample; the arrays are lent until it returns. */
  visitGradients(
    graph: Graph,
    weights: readonly ValueName[],
    visit: (gradients: Gradients) => void,
  ): Promise<void>
}

/** What a plan may need from outside; a plan that needs more than is given is refused. */
export interface PrunePorts {
  readonly runner?: GraphRunner
  readonly images?: CalibrationImages
  readonly gradients?: GradientSource
  /** Told what is being done, for people. */
  readonly onProgress?: ReportProgress
  /** Measurements of the same graph that may be used again; what is missing is measured and added. */
  readonly measured?: Measurements
}

/** Measurements of an unpruned graph. Fields are filled in as plans need them. */
export interface Measurements {
  activations?: ActivationStatistics
  /** Where the detector finds something, by calibration picture. */
  interest?: readonly InterestMap[] | 'none'
  moments?: InputMoments
  targets?: Targets
  /** Scores of the groups by criterion and its options. */
  readonly scores: Map<string, Float64Array>
  /** What cutting in the order of those scores does, by the same. */
  readonly sensitivity: Map<string, Sensitivity>
}

export function noMeasurements(): Measurements {
  return { scores: new Map(), sensitivity: new Map() }
}

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

/** Restoration holds the feature maps of all samples at once: about 25 MB each for YOLOv8n at 640. */
const calibrationSamples = 64
const calibration = { factor: 6, seed: 1 }
const probedParts = [0.75, 0.5, 0.25]
/**
 * Layers are probed on pictures of their own, at most every fifth: on those that its readers were re-fitted to, a cut looks
 * cheaper than it is. Probing takes three runs of each layer and sample, so they are few.
 */
const probeSamples = 16
const probedShare = 1 / 5

/** Prunes `graph` as `plan` says. Throws `compress.plan_invalid` or `compress.budget_unreachable`. */
export async function prune(
  graph: Graph,
  plan: PrunePlanInput,
  ports: PrunePorts,
): Promise<{ graph: Graph; report: PruneReport }> {
  const checked = parsePrunePlan(plan)
  const start = removeResidualBlocks(graph, checked.remove_blocks)
  const groups = findChannelGroups(start)
  const measured = ports.measured ?? noMeasurements()
  const work: Work = { graph: start, groups, plan: checked, ports, measured }
  const originalGroups = findChannelGroups(graph)
  const before = new CostModel(graph, originalGroups, outputPlaces(graph)).cost(fullCounts(originalGroups))
  const cost = new CostModel(start, groups, outputPlaces(start))
  const scores = await scoresOf(work)
  const kept = await allocate(work, cost, scores, before.macs)
  const removed = chooseGroups(groups, scores, kept)
  const cut = await cutAndRestore(work, removed, graph)
  requireValidGraph(cut.graph)
  const report: PruneReport = {
    plan: checked,
    before,
    after: cost.cost(kept),
    layers: groups.layers.flatMap(({ name, groups: list, index }) =>
      kept[index] === list.length ? [] : [{ name, channels: list.length, kept: kept[index]! }],
    ),
    removedBlocks: checked.remove_blocks,
    barriers: groups.barriers,
    restored: cut.restored,
  }
  return { graph: cut.graph, report }
}

interface Work {
  readonly graph: Graph
  readonly groups: ChannelGroups
  readonly plan: PrunePlan
  readonly ports: PrunePorts
  readonly measured: Measurements
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

function needed<T>(port: T | undefined, what: string, plan: PrunePlan): T {
  if (port !== undefined) return port
  throw new AgentError(
    'compress.plan_invalid',
    `pruning with criterion ${plan.criterion}, schedule ${plan.schedule} and restore ${plan.restore} needs ${what}, and none was given`,
    { hint: 'Give calibration images, or choose criterion l1, schedule global and restore none.' },
  )
}

interface CalibrationRun {
  readonly graph: Graph
  readonly runner: GraphRunner
  readonly samples: CalibrationSamples
}

/** What scores and restoration are taken from. */
function calibrationRun(work: Work): CalibrationRun {
  const runner = runnerOf(work)
  const { rest } = splitSamples(work)
  return { graph: work.graph, runner, samples: evenly(rest, calibrationSamples) }
}

/** What layers are probed on. */
function probeRun(work: Work): CalibrationRun {
  const runner = runnerOf(work)
  const { probes, rest } = splitSamples(work)
  const samples = probes.count > 0 ? probes : evenly(rest, probeSamples)
  return { graph: work.graph, runner, samples }
}

function runnerOf({ plan, ports }: Work): GraphRunner {
  return needed(ports.runner, 'a runtime', plan)
}

/** Probes, evenly chosen, and the rest; no probes where there are too few. */
function splitSamples({ graph, plan, ports }: Work): {
  readonly probes: CalibrationSamples
  readonly rest: CalibrationSamples
} {
  const samples = samplesOf(graph, needed(ports.images, 'calibration images', plan))
  const count = Math.min(probeSamples, Math.floor(samples.count * probedShare))
  const probed = new Set(Array.from({ length: count }, (_, at) => Math.floor((at * samples.count) / count)))
  const others = Array.from({ length: samples.count }, (_, at) => at).filter((at) => !probed.has(at))
  return { probes: chosen(samples, [...probed]), rest: chosen(samples, others) }
}

function chosen(samples: CalibrationSamples, indices: readonly number[]): CalibrationSamples {
  return { count: indices.length, read: (at) => samples.read(indices[at]!) }
}

/** At most `limit` samples, evenly chosen. */
function evenly(samples: CalibrationSamples, limit: number): CalibrationSamples {
  const count = Math.min(limit, samples.count)
  return { count, read: (index) => samples.read(Math.floor((index * samples.count) / count)) }
}

async function activationsOf(work: Work): Promise<ActivationStatistics> {
  const values = [...new Set(readingAxes(work.groups).map((axis) => axis.node.inputs[0]!))]
  return (work.measured.activations ??= await measureActivations(calibrationRun(work), values))
}

async function momentsOf(work: Work): Promise<InputMoments> {
  if (work.measured.moments === undefined) work.ports.onProgress?.('observing inputs', 0, 1)
  return (work.measured.moments ??= await collectInputMoments(calibrationRun(work), await samplingOf(work)))
}

async function samplingOf(work: Work): Promise<SamplingOptions> {
  const interest = (work.measured.interest ??= (await measureInterest(calibrationRun(work))) ?? 'none')
  return { ...calibration, interest: interest === 'none' ? undefined : interest }
}

async function scoresOf(work: Work): Promise<Float64Array> {
  const { graph, groups, plan, ports, measured } = work
  const key = scoreKey(plan)
  const known = measured.scores.get(key)
  if (known !== undefined) return known
  ports.onProgress?.(`scoring by ${plan.criterion}`, 0, 1)
  const places = criterionOf(plan)({
    graph,
    groups,
    seed: plan.seed,
    ...(plan.criterion === 'activation' ? { activations: await activationsOf(work) } : {}),
    ...(plan.criterion === 'reconstruction' ? { moments: await momentsOf(work) } : {}),
    ...(plan.criterion === 'gradient' ? { filterEffects: await filterEffectsOf(work) } : {}),
  })
  const scores = groupScores(places, groups, plan.aggregation, plan.normalisation)
  measured.scores.set(key, scores)
  return scores
}

async function filterEffectsOf({ graph, groups, plan, ports }: Work): Promise<PlaceScores> {
  const effects = new FilterEffects(graph, groups)
  const source = needed(ports.gradients, 'a source of gradients', plan)
  await source.visitGradients(graph, effects.weights, (gradients) => {
    effects.add(gradients)
  })
  return effects.sums
}

function scoreKey({ criterion, weights, pooling, aggregation, normalisation, seed }: PrunePlan): string {
  return [criterion, weights, pooling, aggregation, normalisation, seed].join(' ')
}

function criterionOf({ criterion, weights, pooling }: PrunePlan): Criterion {
  return {
    l1: l1Norm(weights),
    l2: l2Norm(weights),
    activation: activationScore(pooling),
    gradient: gradientTaylor,
    reconstruction: reconstructionError,
    random: randomScore,
  }[criterion]
}

async function allocate(
  work: Work,
  cost: CostModel,
  scores: Float64Array,
  originalMacs: number,
): Promise<readonly number[]> {
  const { groups, plan } = work
  const full = cost.cost(fullCounts(groups)).macs
  const rules: AllocationRules = {
    macs: Math.min(1, (plan.macs * originalMacs) / full),
    roundTo: plan.round_to,
    minimumChannels: plan.minimum_channels,
    minimumKeep: plan.minimum_keep,
    limits: plan.limits,
  }
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

async function sensitivityOf(work: Work, scores: Float64Array): Promise<Sensitivity> {
  const { graph, groups, plan, measured } = work
  const key = scoreKey(plan)
  const known = measured.sensitivity.get(key)
  if (known !== undefined) return known
  const moments = await momentsOf(work)
  work.ports.onProgress?.('sensitivity', 0, 1)
  const sensitivity = await measureSensitivity(
    { graph, groups, scores, moments, ridge: plan.ridge },
    probeRun(work),
    probedParts,
    (done, total) => work.ports.onProgress?.('sensitivity', done, total),
  )
  measured.sensitivity.set(key, sensitivity)
  return sensitivity
}

function chooseGroups(groups: ChannelGroups, scores: Float64Array, kept: readonly number[]): RemovedGroups {
  const going = groups.layers.flatMap((layer) =>
    [...layer.groups]
      .sort((a, b) => scores[a]! - scores[b]!)
      .slice(0, layer.groups.length - kept[layer.index]!),
  )
  return removedGroups(groups.count, going)
}

async function cutAndRestore(
  work: Work,
  removed: RemovedGroups,
  original: Graph,
): Promise<{ graph: Graph; restored: readonly RestoredLayer[] }> {
  const { graph, groups, plan, ports, measured } = work
  const prepared =
    plan.restore === 'mean'
      ? applyPatch(graph, replaceByMeans(graph, groups, removed, await activationsOf(work)))
      : graph
  const cut = applyPatch(prepared, removeChannels(prepared, groups, removed))
  if (plan.restore !== 'bias' && plan.restore !== 'lsq') return { graph: cut, restored: [] }
  const run = calibrationRun(work)
  if (measured.targets === undefined) ports.onProgress?.('observing answers', 0, 1)
  measured.targets ??= await collectTargets(
    { ...run, graph: original },
    await samplingOf({ ...work, graph: original }),
  )
  const restoration = await restore(
    { ...run, graph: cut },
    measured.targets,
    prunedConvolutions(work, removed),
    { method: plan.restore, ridge: plan.ridge, steps: plan.steps },
    (done, total) => ports.onProgress?.('restore', done, total),
  )
  return { graph: restoration.graph, restored: restoration.layers }
}

function prunedConvolutions({ graph, groups, plan }: Work, removed: RemovedGroups): PrunedConvolutions {
  const keptRows = new Map<string, readonly number[]>()
  const changed = new Set<string>()
  for (const axis of groups.axes) {
    if (isFilterAxis(axis)) keptRows.set(axis.node.name, keptPlaces(axis.groups, removed))
    else if (axis.role === 'consumes' && removedPlaces(axis.groups, removed).length > 0)
      changed.add(axis.node.name)
  }
  // After a whole block has gone, every later convolution reads other values.
  if (plan.remove_blocks.length > 0)
    for (const node of graph.nodes) if (node.opType === 'Conv') changed.add(node.name)
  return { keptRows, changed }
}
