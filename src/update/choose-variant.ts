/**
 * Which of the measured variants serves.
 * Invariant: pure and total: the same measurements give the same choice, and every other variant gets a reason.
 */

import type { Variant } from '../protocol/manifest.js'
import type { AccuracyFigures, LatencyFigures } from '../protocol/measurement.js'
import type { DiscardedVariant } from './deployment-record.js'
import type { ReferenceFigures } from './ports.js'

/** A variant as it was measured on this device. */
export interface MeasuredVariant {
  readonly variant: Variant
  readonly provider: string
  readonly latency: LatencyFigures
  /** Time on a processor that a frame took, milliseconds. */
  readonly cpuMs?: number
  readonly reference?: ReferenceFigures
  readonly memoryBytes: number
  readonly accuracy?: AccuracyFigures
}

export interface SelectionPolicy {
  readonly policy: 'accuracy-first' | 'latency-first' | 'balanced'
  /** accuracy-first: the p95 latency to keep, milliseconds. */
  readonly latencyTargetMs: number
  /** latency-first: the mAP50-95 to keep, 0..1. */
  readonly mapFloor: number
  /** How much faster, as a share, another variant of equal accuracy has to be before it takes the place of one that serves. */
  readonly hysteresis: number
}

export interface Choice {
  readonly chosen: MeasuredVariant
  readonly why: string
  readonly discarded: readonly DiscardedVariant[]
}

/** mAP50-95 on the golden set, else what the bundle promises; undefined when neither is known. */
export function accuracyOf({ accuracy, variant }: MeasuredVariant): number | undefined {
  return accuracy?.map ?? variant.expected?.map
}

/** Points of mAP that one halving of the latency is worth to `balanced`, 0..1. */
const mapPerHalving = 0.02

/**
 * Chooses among at least one measured variant. `incumbent` is the id of the one that serves now, if it is of the same version:
 * it keeps its place unless another is better by the policy's hysteresis, or unless it misses the policy's bound.
 */
export function chooseVariant(
  measured: readonly MeasuredVariant[],
  policy: SelectionPolicy,
  incumbent?: string,
): Choice {
  const { candidates, excluded } = admit(measured, policy)
  const ranked = [...candidates].sort((a, b) => scoreOf(b, policy) - scoreOf(a, policy))
  const best = ranked[0]!
  const kept = ranked.find((each) => each.variant.id === incumbent && isCloseTo(best, each, policy))
  const chosen = kept ?? best
  const others = ranked
    .filter((each) => each !== chosen)
    .map((other) => ({ variant: other.variant.id, reason: reasonAgainst(other, chosen, policy) }))
  return { chosen, why: `${policy.policy}: ${describe(chosen)}`, discarded: [...excluded, ...others] }
}

/** Whether `other` serves nearly as well as `best`: the step between them is not worth a swap. */
function isCloseTo(best: MeasuredVariant, other: MeasuredVariant, policy: SelectionPolicy): boolean {
  const slower = {
    ...best,
    latency: { ...best.latency, p95Ms: best.latency.p95Ms * (1 + policy.hysteresis) },
  }
  return scoreOf(slower, policy) <= scoreOf(other, policy)
}

function reasonAgainst(other: MeasuredVariant, chosen: MeasuredVariant, policy: SelectionPolicy): string {
  const isBetter = scoreOf(other, policy) > scoreOf(chosen, policy)
  const comparison = isBetter
    ? `better than ${chosen.variant.id} by less than the hysteresis of ${policy.hysteresis}`
    : `${chosen.variant.id} is better for ${policy.policy}`
  return `${describe(other)}; ${comparison}: ${describe(chosen)}`
}

interface Admission {
  readonly candidates: readonly MeasuredVariant[]
  readonly excluded: readonly DiscardedVariant[]
}

/** Takes out what misses the policy's bound; when everything misses it, everything stays. */
function admit(measured: readonly MeasuredVariant[], policy: SelectionPolicy): Admission {
  const missOf = (each: MeasuredVariant): string | undefined => {
    if (policy.policy === 'accuracy-first' && each.latency.p95Ms > policy.latencyTargetMs)
      return `p95 ${each.latency.p95Ms.toFixed(1)} ms is over the target of ${policy.latencyTargetMs} ms`
    const map = accuracyOf(each)
    if (policy.policy === 'latency-first' && map !== undefined && map < policy.mapFloor)
      return `mAP ${map.toFixed(3)} is under the floor of ${policy.mapFloor}`
    return undefined
  }
  const candidates = measured.filter((each) => missOf(each) === undefined)
  if (candidates.length === 0) return { candidates: measured, excluded: [] }
  const excluded = measured.flatMap((each) => {
    const reason = missOf(each)
    return reason === undefined ? [] : [{ variant: each.variant.id, reason }]
  })
  return { candidates, excluded }
}

function scoreOf(each: MeasuredVariant, { policy }: SelectionPolicy): number {
  return policyScore(policy, accuracyOf(each), each.latency.p95Ms)
}

/** How good a variant of accuracy `map` and of `cost` (a time, or anything in proportion to it) is; larger is better. */
export function policyScore(
  policy: SelectionPolicy['policy'],
  map: number | undefined = 0,
  cost: number,
): number {
  const speed = -Math.log2(Math.max(0.01, cost))
  if (policy === 'latency-first') return speed
  // Equal accuracy (or none known) is decided by speed.
  if (policy === 'accuracy-first') return map + speed * 1e-6
  return map + speed * mapPerHalving
}

function describe(each: MeasuredVariant): string {
  const map = accuracyOf(each)
  const accuracy = map === undefined ? 'accuracy unknown' : `mAP ${map.toFixed(3)}`
  return `p95 ${each.latency.p95Ms.toFixed(1)} ms on ${each.provider}, ${accuracy}`
}
