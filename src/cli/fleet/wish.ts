/**
 * Wishes: what a channel or a device is told to run.
 * Invariant: a later wish has a higher sequence; a wish that somebody else signed is never signed again here.
 */

import { AgentError } from '../../base/errors.js'
import {
  type Desired,
  desiredPayloadType,
  type DesiredTarget,
  encodeDesired,
  parseDesired,
  requireTarget,
  type Rollout,
} from '../../protocol/desired.js'
import { openEnvelope, sealEnvelope } from '../../protocol/envelope.js'
import { type SigningKey, trustedKeyOf } from '../../protocol/keys.js'
import type { Topics } from '../../protocol/topics.js'
import { publishRetained } from '../../transport/publish-bundle.js'
import type { FleetConnection } from './fleet-connection.js'
import { readRetained } from './retained.js'

/** A version of a model. */
export interface ModelVersion {
  readonly model: string
  readonly version: string
}

export interface WishTerms {
  /** Lets devices go back to a version with a lower manifest sequence. */
  readonly allowDowngrade?: boolean
  readonly rollout?: Rollout
}

/** The wish that `target` runs a version, as of `nowMs`. */
export function wishFor(
  { model, version }: ModelVersion,
  target: DesiredTarget,
  nowMs: number,
  { allowDowngrade = false, rollout }: WishTerms = {},
): Desired {
  return {
    target,
    model,
    version,
    sequence: nowMs,
    createdAt: new Date(nowMs).toISOString(),
    ...(allowDowngrade && { allowDowngrade }),
    ...(rollout !== undefined && { rollout }),
  }
}

/** `wish` with other terms of its rollout, as of `nowMs`. */
export function withRollout(wish: Desired, rollout: Rollout, nowMs: number): Desired {
  const sequence = Math.max(nowMs, wish.sequence + 1)
  return { ...wish, sequence, createdAt: new Date(nowMs).toISOString(), rollout }
}

/** A wish, signed. */
export function sealWish(wish: Desired, keys: readonly SigningKey[]): Uint8Array {
  return sealEnvelope(desiredPayloadType, encodeDesired(wish), keys)
}

/** Where wishes for `target` live. */
export function desiredTopic(topics: Topics, { kind, name }: DesiredTarget): string {
  return kind === 'channel' ? topics.channelDesired(name) : topics.deviceDesired(name)
}

/** Signs a wish and puts it on the broker. */
export async function sendWish(
  { connection, topics }: FleetConnection,
  wish: Desired,
  keys: readonly SigningKey[],
): Promise<void> {
  await publishRetained(connection, desiredTopic(topics, wish.target), sealWish(wish, keys))
}

/**
 * The wish that holds for `target`, if it is signed with `key`: to change a wish is to sign the whole of it.
 * Throws `cli.argument_invalid` where there is none, `trust.*` for one that `key` did not sign.
 */
export async function ownWish(
  { connection, topics }: FleetConnection,
  target: DesiredTarget,
  key: SigningKey,
): Promise<Desired> {
  const topic = desiredTopic(topics, target)
  const envelope = (
    await readRetained(connection, [topic], { quietMs: 3000, isComplete: ({ size }) => size > 0 })
  ).get(topic)
  if (envelope === undefined) {
    const problem = `${target.kind} ${target.name} is told to run nothing: expected a wish to change`
    throw new AgentError('cli.argument_invalid', problem, { hint: 'yolo-edge rollout start makes one' })
  }
  const opened = openEnvelope(envelope, desiredPayloadType, { keys: [trustedKeyOf(key)] })
  const wish = parseDesired(opened.payload)
  requireTarget(wish, target)
  return wish
}
