/**
 * What pruning has to know of a graph before it cuts: scores of its channels, and what cutting each layer alone does.
 * Invariant: a measurement is taken once for a graph, and only when something needs it.
 */

import type { CalibrationImages, GraphRunner, ReportProgress } from '../ports.js'
import type { Graph, ValueName } from '../../onnx/graph.js'
import { collectInputMoments, type InputMoments } from '../restoration/input-moments.js'
import { type InterestMap, measureInterest } from '../restoration/interest.js'
import type { SamplingOptions } from '../restoration/sample-places.js'
import type { Targets } from '../restoration/targets.js'
import { type ActivationStatistics, measureActivations } from './activation-statistics.js'
import { groupScores } from './aggregate.js'
import { calibrationRun, needed, probeRun } from './calibration-runs.js'
import { type ChannelGroups, readingAxes } from './channel-groups.js'
import { activationScore } from './criteria/activation.js'
import type { Criterion, PlaceScores } from './criteria/criterion.js'
import { FilterEffects, gradientTaylor } from './criteria/gradient.js'
import { randomScore } from './criteria/random.js'
import { reconstructionError } from './criteria/reconstruction.js'
import { l1Norm, l2Norm } from './criteria/weight-norm.js'
import type { PrunePlan } from './prune-plan.js'
import { measureSensitivity, type Sensitivity } from './sensitivity.js'

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

/** What still holds of `measured` when its graph has been cut: what the original answers, and where it finds something. */
export function measurementsAfter({ interest, targets }: Measurements): Measurements {
  return {
    ...noMeasurements(),
    ...(interest === undefined ? {} : { interest }),
    ...(targets === undefined ? {} : { targets }),
  }
}

/** One round of pruning under way. */
export interface PruneWork {
  readonly graph: Graph
  readonly groups: ChannelGroups
  readonly plan: PrunePlan
  readonly ports: PrunePorts
  readonly measured: Measurements
}

const calibration = { factor: 6, seed: 1 }
const probedParts = [0.75, 0.5, 0.25]

export async function activationsOf(work: PruneWork): Promise<ActivationStatistics> {
  const values = [...new Set(readingAxes(work.groups).map((axis) => axis.node.inputs[0]!))]
  return (work.measured.activations ??= await measureActivations(calibrationRun(work), values))
}

async function momentsOf(work: PruneWork): Promise<InputMoments> {
  if (work.measured.moments === undefined) work.ports.onProgress?.('observing inputs', 0, 1)
  return (work.measured.moments ??= await collectInputMoments(calibrationRun(work), await samplingOf(work)))
}

export async function samplingOf(work: PruneWork): Promise<SamplingOptions> {
  const interest = (work.measured.interest ??= (await measureInterest(calibrationRun(work))) ?? 'none')
  return { ...calibration, interest: interest === 'none' ? undefined : interest }
}

export async function scoresOf(work: PruneWork): Promise<Float64Array> {
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

async function filterEffectsOf({ graph, groups, plan, ports }: PruneWork): Promise<PlaceScores> {
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

export async function sensitivityOf(work: PruneWork, scores: Float64Array): Promise<Sensitivity> {
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
