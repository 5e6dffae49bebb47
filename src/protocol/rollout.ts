/**
 * Which devices of a channel follow a wish, and when.
 * Invariant: decided from the wish, the device's name and the time alone: every device comes to its own answer, offline.
 */

import { createHash } from 'node:crypto'
import type { Desired } from './desired.js'

/** Whether one device follows a desired state now. */
export type RolloutDecision =
  | { readonly follows: true }
  | { readonly follows: false; readonly reason: 'not_yet'; readonly waitMs: number }
  | { readonly follows: false; readonly reason: 'outside_percent'; readonly bucket: number }

/** Where a device stands in a rollout: 0 up to, not including, 100; evenly spread, fixed by device name and salt. */
export function rolloutBucket(device: string, salt: string): number {
  const digest = createHash('sha256').update(`${salt}\n${device}`).digest()
  return (digest.readUInt32BE(0) / 2 ** 32) * 100
}

/** Whether `device` follows `desired` at the wall time `nowMs`. */
export function decideRollout(desired: Desired, device: string, nowMs: number): RolloutDecision {
  const { rollout } = desired
  if (rollout === undefined) return { follows: true }
  const bucket = rolloutBucket(device, rollout.salt)
  if (bucket >= rollout.percent) return { follows: false, reason: 'outside_percent', bucket }
  const waitMs = rollout.notBefore === undefined ? 0 : Date.parse(rollout.notBefore) - nowMs
  return waitMs > 0 ? { follows: false, reason: 'not_yet', waitMs } : { follows: true }
}
