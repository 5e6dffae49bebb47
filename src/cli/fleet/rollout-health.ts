/**
 * What the plan of a rollout asks for: wider while devices are well, a pause when too many fail.
 * Invariant: decided from the wish, what devices say and the time alone; nothing is sent here.
 */

import type { FleetStore } from '../../dashboard/fleet/fleet-store.js'
import { rolloutsOf } from '../../dashboard/fleet/rollouts.js'
import type { Desired, RolloutPlan } from '../../protocol/desired.js'
import { phaseOf, termsOf } from '../../protocol/rollout-phase.js'

/** How devices fare with a version: only those that have come to an end with it. */
export interface Health {
  readonly serving: number
  readonly failed: number
}

/** What a plan asks for now. */
export type Move =
  | { readonly kind: 'wait'; readonly reason: string }
  | { readonly kind: 'widen'; readonly percent: number }
  | { readonly kind: 'halt'; readonly reason: string }

/** How the devices of the channel of `wish` fare with its version; a device that does not name its channel counts. */
export function healthOf({ devices }: Pick<FleetStore, 'devices'>, wish: Desired): Health {
  const channel = wish.target.name
  const members = [...devices.values()].filter(({ info }) => (info?.channel ?? channel) === channel)
  const counts = rolloutsOf(members, [wish]).find(
    ({ model, version }) => model === wish.model && version === wish.version,
  )?.counts
  return { serving: counts?.serving ?? 0, failed: counts?.failed ?? 0 }
}

/** Why `plan` stops a rollout with this health, in one sentence; undefined where it does not. */
export function tooManyFailures(
  { failureShareMax, devicesMin }: RolloutPlan,
  { serving, failed }: Health,
): string | undefined {
  const ended = serving + failed
  if (failed === 0 || ended < devicesMin || failed / ended <= failureShareMax) return undefined
  return `${failed} of ${ended} devices failed, more than ${shareText(failureShareMax)}`
}

/** A share, 0..1, for people. */
export function shareText(share: number): string {
  return `${Number((share * 100).toFixed(2))} %`
}

/** What the plan of `wish` asks for at the wall time `nowMs`; undefined for a rollout without a plan, or one that is held. */
export function nextMove(wish: Desired, health: Health, nowMs: number): Move | undefined {
  const { plan, percent, notBefore } = termsOf(wish)
  if (plan === undefined || phaseOf(wish, nowMs) !== 'running') return undefined
  const reason = tooManyFailures(plan, health)
  if (reason !== undefined) return { kind: 'halt', reason }
  const next = plan.steps.find((step) => step > percent)
  if (next === undefined) return { kind: 'wait', reason: 'it has reached its last step' }
  const beganMs = Math.max(Date.parse(wish.createdAt), notBefore === undefined ? 0 : Date.parse(notBefore))
  const leftMs = beganMs + plan.everyMs - nowMs
  if (leftMs > 0) return { kind: 'wait', reason: `${next} % in ${Math.ceil(leftMs / 1000)} s` }
  const ended = health.serving + health.failed
  if (ended >= plan.devicesMin) return { kind: 'widen', percent: next }
  const problem = `${ended} devices have come to an end with it, expected at least ${plan.devicesMin}`
  return { kind: 'wait', reason: `${next} % once more devices answer: ${problem}` }
}

/** The plan of a rollout in words; undefined for one without. */
export function planText(wish: Desired): string | undefined {
  const { plan } = termsOf(wish)
  if (plan === undefined) return undefined
  const { steps, everyMs, failureShareMax, devicesMin } = plan
  const devices = devicesMin === 1 ? '' : ` once ${devicesMin} devices have come to an end`
  const stop = `halts when more than ${shareText(failureShareMax)} of the devices fail${devices}`
  return steps.length === 1 ? stop : `${steps.join(', ')} %, a step at least ${everyMs / 60_000} min; ${stop}`
}
