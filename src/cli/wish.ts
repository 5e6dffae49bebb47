/** Wishes: what a channel or a device is told to run. Invariant: a later wish has a higher sequence. */

import { type Desired, desiredPayloadType, type DesiredTarget, encodeDesired } from '../protocol/desired.js'
import { sealEnvelope } from '../protocol/envelope.js'
import type { SigningKey } from '../protocol/keys.js'
import type { Manifest } from '../protocol/manifest.js'
import type { Topics } from '../protocol/topics.js'

/** The wish that `target` runs the version of a manifest, as of `nowMs`. */
export function wishFor(
  { model, version }: Manifest,
  target: DesiredTarget,
  nowMs: number,
  allowDowngrade: boolean,
): Desired {
  return {
    target,
    model,
    version,
    sequence: nowMs,
    createdAt: new Date(nowMs).toISOString(),
    ...(allowDowngrade && { allowDowngrade }),
  }
}

/** A wish, signed. */
export function sealWish(wish: Desired, keys: readonly SigningKey[]): Uint8Array {
  return sealEnvelope(desiredPayloadType, encodeDesired(wish), keys)
}

/** Where wishes for `target` live. */
export function desiredTopic(topics: Topics, { kind, name }: DesiredTarget): string {
  return kind === 'channel' ? topics.channelDesired(name) : topics.deviceDesired(name)
}
