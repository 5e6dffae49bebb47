/** How far versions are in the fleet. Invariant: counted from what devices say themselves. */

import { systemClock } from '../../base/clock.js'
import { type WishRefusal, wishRefusals } from '../../dashboard/fleet/device-record.js'
import { FleetStore } from '../../dashboard/fleet/fleet-store.js'
import { rolloutsOf, stages, type VersionRollout } from '../../dashboard/fleet/rollouts.js'
import type { Desired } from '../../protocol/desired.js'
import { phaseOf, termsOf } from '../../protocol/rollout-phase.js'
import type { FleetConnection } from './fleet-connection.js'
import { readFleetState } from './fleet-state.js'
import { healthOf, type Move, nextMove, planText } from './rollout-health.js'

/** What is known of a fleet. */
export interface KnownFleet {
  readonly store: FleetStore
  /** What a person should know of how complete this is; a sentence each. */
  readonly gaps: readonly string[]
  /** Why not everything was read; undefined where it was. */
  readonly unfinished?: string
}

/** The fleet as it says of itself, and what its channels ask. Throws `network.*`. */
export async function readFleet(fleet: FleetConnection): Promise<KnownFleet> {
  const { messages, ...rest } = await readFleetState(fleet, [
    'availability',
    'reported',
    'deployment',
    'info',
  ])
  const store = new FleetStore(fleet.topics.root)
  const arrival = { wallMs: systemClock.wallMs(), monotonicMs: systemClock.monotonicMs() }
  for (const [topic, payload] of messages)
    store.receive({ topic, payload: Uint8Array.from(payload) }, arrival)
  return { store, ...rest }
}

/** Every version that is served, moved to, refused or asked for. */
export function versionsIn({ devices, channels }: FleetStore): readonly VersionRollout[] {
  return rolloutsOf(devices.values(), channels.values())
}

/** The versions for people, and the wishes that devices did not take. */
export function rolloutLines(
  { store, gaps }: KnownFleet,
  rollouts: readonly VersionRollout[],
  nowMs: number,
): readonly string[] {
  const notes = gaps.map((gap) => `note: ${gap}`)
  if (rollouts.length === 0) {
    const seen = gaps.length === 0 ? '' : ', as far as was seen'
    return [`no device serves a model, and no channel asks for one${seen}`, ...notes]
  }
  const versions = rollouts.flatMap(({ model, version, counts, channels, failures }) => [
    `${model} ${version}`,
    ...channels.flatMap((wish) => channelLines(store, wish, nowMs)),
    `  ${stages.map((stage) => `${stage} ${counts[stage]}`).join(', ')}`,
    ...failures.map(({ device, code, message }) => `  ${device}: ${code}: ${message}`),
  ])
  return [...versions, ...wishRefusals(store.devices.values()).map(refusalLine), ...notes]
}

function channelLines(store: FleetStore, wish: Desired, nowMs: number): readonly string[] {
  const { percent, halted } = termsOf(wish)
  const reason = halted === undefined ? '' : `: ${halted}`
  const move = nextMove(wish, healthOf(store, wish), nowMs)
  return [
    `  channel ${wish.target.name}: ${phaseOf(wish, nowMs)}, ${percent} %${reason}`,
    ...(planText(wish) === undefined ? [] : [`    ${planText(wish)}`]),
    ...(move === undefined ? [] : [`    next: ${moveText(move)}`]),
  ]
}

function moveText(move: Move): string {
  if (move.kind === 'wait') return move.reason
  const by = 'due, carried out by yolo-edge rollout serve or rollout status --sign'
  return move.kind === 'widen' ? `${move.percent} %, ${by}` : `halt, because ${move.reason}, ${by}`
}

/** One wish that a device did not take, for people. */
export function refusalLine({ device, target, error }: WishRefusal): string {
  return `${device} did not take the wish for ${target.kind} ${target.name}: ${error.code}: ${error.message}`
}

/** The same for machines. */
export function refusalResult({ device, target, at, error, model, version, sequence }: WishRefusal): object {
  return {
    ...{ device, target, at, ...error },
    ...(model !== undefined && { model }),
    ...(version !== undefined && { version }),
    ...(sequence !== undefined && { sequence }),
  }
}

/** The terms of a wish for machines. */
export function termsResult(wish: Desired): object {
  const { percent, salt, notBefore, halted, plan } = termsOf(wish)
  return {
    ...{ percent, salt },
    ...(notBefore !== undefined && { not_before: notBefore }),
    ...(halted !== undefined && { halted }),
    ...(plan !== undefined && {
      plan: {
        steps: plan.steps,
        every_ms: plan.everyMs,
        failure_share_max: plan.failureShareMax,
        devices_min: plan.devicesMin,
      },
    }),
  }
}

/** A version for machines. */
export function rolloutResult(
  { model, version, counts, channels, failures }: VersionRollout,
  nowMs: number,
): object {
  return {
    model,
    version,
    devices: counts,
    channels: channels.map((wish) => ({
      name: wish.target.name,
      phase: phaseOf(wish, nowMs),
      sequence: wish.sequence,
      ...termsResult(wish),
    })),
    failures,
  }
}
