/**
 * Wishes: what a channel or a device is told to run.
 * Invariant: a later wish has a higher sequence than the one that the broker holds, whatever the clock of this machine says; a
 * wish that somebody else signed is never signed again here.
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
import {
  encodeRelease,
  parseTelling,
  placeOf,
  releasePayloadType,
  type Telling,
  tellingPayloadTypes,
  unverifiedTelling,
} from '../../protocol/release.js'
import type { Topics } from '../../protocol/topics.js'
import { devicePartOf, wishEntry, wishesPart } from '../../protocol/fleet-index.js'
import { changeIndex } from '../../transport/index-record.js'
import type { ReadingOptions } from '../../transport/retained-reading.js'
import { requireKept } from '../../transport/publish-bundle.js'
import { publishRetained } from '../../transport/publish-retained.js'
import type { FleetConnection } from './fleet-connection.js'
import { readTopic } from './retained.js'

/** A version of a model. */
export interface ModelVersion {
  readonly model: string
  readonly version: string
}

export interface WishTerms {
  /** Lets devices go back to a version with a lower manifest sequence. */
  readonly allowDowngrade?: boolean
  readonly rollout?: Rollout
  /** How long a device that has not heard the wish may still take it, milliseconds; for ever unless given. */
  readonly holdsForMs?: number
}

/** The wish that `target` runs a version, as of `nowMs`; its sequence is that time. */
export function wishFor(
  { model, version }: ModelVersion,
  target: DesiredTarget,
  nowMs: number,
  { allowDowngrade = false, rollout, holdsForMs }: WishTerms = {},
): Desired {
  return {
    target,
    model,
    version,
    sequence: nowMs,
    createdAt: new Date(nowMs).toISOString(),
    ...(allowDowngrade && { allowDowngrade }),
    ...(holdsForMs !== undefined && { expiresAt: new Date(nowMs + holdsForMs).toISOString() }),
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

/** A wish or a release, signed. */
export function sealTelling(telling: Telling, keys: readonly SigningKey[]): Uint8Array {
  return telling.kind === 'wish'
    ? sealWish(telling.wish, keys)
    : sealEnvelope(releasePayloadType, encodeRelease(telling.release), keys)
}

/** Where what `target` is told lives. */
export function desiredTopic(topics: Topics, { kind, name }: DesiredTarget): string {
  return kind === 'channel' ? topics.channelDesired(name) : topics.deviceDesired(name)
}

/**
 * Signs a wish or a release, puts it on the broker, and looks once whether it is there. Throws `network.*`.
 * Whom it tells is listed first, so that whoever asks who wants a version finds it on brokers without wildcards too.
 */
export async function sendTelling(
  { connection, topics }: FleetConnection,
  telling: Telling,
  keys: readonly SigningKey[],
): Promise<void> {
  const { target } = placeOf(telling)
  const add = (part: string, name: string): Promise<void> =>
    changeIndex(connection, topics, part, (names) => names.add(name))
  await Promise.all([
    add(wishesPart, wishEntry(target)),
    ...(target.kind === 'device' ? [add(devicePartOf(target.name), target.name)] : []),
  ])
  const topic = desiredTopic(topics, target)
  const envelope = sealTelling(telling, keys)
  await publishRetained(connection, topic, envelope)
  await requireKept(connection, topic, envelope)
}

/** Signs a wish and puts it on the broker. */
export async function sendWish(
  fleet: FleetConnection,
  wish: Desired,
  keys: readonly SigningKey[],
): Promise<void> {
  await sendTelling(fleet, { kind: 'wish', wish }, keys)
}

/** What the broker holds for `target`, nothing of it believed; undefined for nothing. Throws `network.*`. */
async function heldEnvelope(
  fleet: FleetConnection,
  target: DesiredTarget,
  reading: ReadingOptions = {},
): Promise<Uint8Array | undefined> {
  return readTopic(fleet, desiredTopic(fleet.topics, target), reading)
}

/**
 * Sequences are wall times, so nothing honest is beyond this: whoever can write a topic but not sign must not be able to
 * use up all sequences that there are.
 */
export const unsignedSequenceMax = Date.UTC(2100, 0)

/**
 * The sequence of the next wish for `target`: the time, or one more than what the broker holds.
 * Throws `trust.sequence_stale` where it holds a sequence that no clock gives and none of `keys` has signed.
 */
export async function nextSequence(
  fleet: FleetConnection,
  target: DesiredTarget,
  keys: readonly SigningKey[],
  nowMs: number,
): Promise<number> {
  const envelope = await heldEnvelope(fleet, target, { quietMs: 1000 })
  return Math.max(nowMs, envelope === undefined ? 0 : sequenceIn(envelope, keys) + 1)
}

/** The sequence of a telling; 0 for what cannot be read: no device takes that either. */
function sequenceIn(envelope: Uint8Array, keys: readonly SigningKey[]): number {
  const signed = tellingOf(() =>
    parseTelling(openEnvelope(envelope, tellingPayloadTypes, { keys: keys.map(trustedKeyOf) })),
  )
  if (signed !== undefined) return placeOf(signed).sequence
  const claimed = tellingOf(() => unverifiedTelling(envelope))
  if (claimed === undefined) return 0
  const { target, sequence } = placeOf(claimed)
  if (sequence <= unsignedSequenceMax) return sequence
  throw new AgentError(
    'trust.sequence_stale',
    `the wish for ${target.kind} ${target.name} on the broker has the sequence ${sequence}, which no clock gives, and this key did not sign it`,
    { hint: 'sign with the key that signed it, or clear the topic if nobody of yours did' },
  )
}

function tellingOf(read: () => Telling): Telling | undefined {
  try {
    return read()
  } catch {
    // Not signed by these keys, or not readable: the caller looks further.
    return undefined
  }
}

/**
 * The wish that holds for `target`, if it is signed with `key`: to change a wish is to sign the whole of it.
 * Throws `cli.argument_invalid` where there is none, `trust.*` for one that `key` did not sign.
 */
export async function ownWish(
  fleet: FleetConnection,
  target: DesiredTarget,
  key: SigningKey,
): Promise<Desired> {
  const envelope = await heldEnvelope(fleet, target)
  if (envelope === undefined) {
    const problem = `${target.kind} ${target.name} is told to run nothing: expected a wish to change`
    throw new AgentError('cli.argument_invalid', problem, { hint: 'yolo-edge rollout start makes one' })
  }
  return openWish(envelope, target, key)
}

/** The wish for `target` in an envelope that `key` signed. Throws `trust.*` and `protocol.*`. */
export function openWish(envelope: Uint8Array, target: DesiredTarget, key: SigningKey): Desired {
  const opened = openEnvelope(envelope, desiredPayloadType, { keys: [trustedKeyOf(key)] })
  const wish = parseDesired(opened.payload)
  requireTarget(wish.target, target)
  return wish
}
