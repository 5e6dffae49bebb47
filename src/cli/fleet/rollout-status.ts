/** How far versions are in the fleet. Invariant: counted from what devices say themselves. */

import { systemClock } from '../../base/clock.js'
import { FleetStore } from '../../dashboard/fleet/fleet-store.js'
import { rolloutsOf, stages, type VersionRollout } from '../../dashboard/fleet/rollouts.js'
import type { FleetConnection } from './fleet-connection.js'
import { readRetained } from './retained.js'
import { phaseOf, termsOf } from './rollout-terms.js'

/** Every version that is served, moved to, refused or asked for. */
export async function readRollouts({
  connection,
  topics,
}: FleetConnection): Promise<readonly VersionRollout[]> {
  const filters = [
    ...(['availability', 'reported', 'deployment'] as const).map((kind) => topics.stateOfAll(kind)),
    topics.allChannelsDesired(),
  ]
  const store = new FleetStore(topics.root)
  const arrival = { wallMs: systemClock.wallMs(), monotonicMs: systemClock.monotonicMs() }
  for (const [topic, payload] of await readRetained(connection, filters))
    store.receive({ topic, payload: Uint8Array.from(payload) }, arrival)
  return rolloutsOf(store.devices.values(), store.channels.values())
}

/** The versions for people. */
export function rolloutLines(rollouts: readonly VersionRollout[], nowMs: number): readonly string[] {
  if (rollouts.length === 0) return ['no device serves a model, and no channel asks for one']
  return rollouts.flatMap(({ model, version, counts, channels, failures }) => [
    `${model} ${version}`,
    ...channels.map(
      (wish) => `  channel ${wish.target.name}: ${phaseOf(wish, nowMs)}, ${termsOf(wish).percent} %`,
    ),
    `  ${stages.map((stage) => `${stage} ${counts[stage]}`).join(', ')}`,
    ...failures.map(({ device, code, message }) => `  ${device}: ${code}: ${message}`),
  ])
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
    channels: channels.map((wish) => {
      const { percent, salt, notBefore } = termsOf(wish)
      return {
        name: wish.target.name,
        phase: phaseOf(wish, nowMs),
        sequence: wish.sequence,
        percent,
        salt,
        ...(notBefore !== undefined && { not_before: notBefore }),
      }
    }),
    failures,
  }
}
