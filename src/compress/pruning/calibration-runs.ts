/**
 * Which calibration pictures serve what: layers are probed on some, scores and restoration are taken from the others.
 * Invariant: no picture serves both, unless there are too few; the choice depends on their number alone.
 */

import { AgentError } from '../../base/errors.js'
import type { Graph } from '../../onnx/graph.js'
import { type CalibrationSamples, samplesOf } from '../calibration-samples.js'
import type { CalibrationImages, GraphRunner } from '../ports.js'
import type { PrunePlan } from './prune-plan.js'

/** Restoration holds the feature maps of all samples at once: about 25 MB each for YOLOv8n at 640. */
const calibrationSamples = 64

/**
 * Layers are probed on pictures of their own, at most every fifth: on those that its readers were re-fitted to, a cut looks
 * cheaper than it is. Probing takes three runs of each layer and sample, so they are few.
 */
const probeSamples = 16
const probedShare = 1 / 5

/** A graph to be pruned, with what the plan may need to run it. */
export interface CalibrationSource {
  readonly graph: Graph
  readonly plan: PrunePlan
  readonly ports: { readonly runner?: GraphRunner; readonly images?: CalibrationImages }
}

/** A graph, and what it is run on. */
export interface CalibrationRun {
  readonly graph: Graph
  readonly runner: GraphRunner
  readonly samples: CalibrationSamples
}

/** What scores and restoration are taken from. */
export function calibrationRun(source: CalibrationSource): CalibrationRun {
  const runner = runnerOf(source)
  const { rest } = splitSamples(source)
  return { graph: source.graph, runner, samples: evenly(rest, calibrationSamples) }
}

/** What layers are probed on. */
export function probeRun(source: CalibrationSource): CalibrationRun {
  const runner = runnerOf(source)
  const { probes, rest } = splitSamples(source)
  const samples = probes.count > 0 ? probes : evenly(rest, probeSamples)
  return { graph: source.graph, runner, samples }
}

function runnerOf({ plan, ports }: CalibrationSource): GraphRunner {
  return needed(ports.runner, 'a runtime', plan)
}

/** Probes, evenly chosen, and the rest; no probes where there are too few. */
function splitSamples({ graph, plan, ports }: CalibrationSource): {
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

/** A port that the plan cannot do without. Throws `compress.plan_invalid` where it was not given. */
export function needed<T>(port: T | undefined, what: string, plan: PrunePlan): T {
  if (port !== undefined) return port
  throw new AgentError(
    'compress.plan_invalid',
    `pruning with criterion ${plan.criterion}, schedule ${plan.schedule} and restore ${plan.restore} needs ${what}, and none was given`,
    { hint: 'Give calibration images, or choose criterion l1, schedule global and restore none.' },
  )
}
