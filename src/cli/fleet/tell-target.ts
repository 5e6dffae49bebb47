/**
 * Tells a channel or a device something, and hears which devices do not take it.
 * Invariant: what is sent is above everything that the broker and the devices have seen for the target, or the caller knows who
 * refused it and why.
 */

import { type Clock, systemClock } from '../../base/clock.js'
import type { DesiredTarget } from '../../protocol/desired.js'
import type { SigningKey } from '../../protocol/keys.js'
import { placeOf, type Telling } from '../../protocol/release.js'
import { type Reported, parseReported } from '../../protocol/reported.js'
import { parseTopic } from '../../protocol/topics.js'
import type { WishRefusal } from '../../dashboard/fleet/device-record.js'
import type { Output } from '../output.js'
import type { FleetConnection } from './fleet-connection.js'
import { refusalLine, refusalResult } from './rollout-status.js'
import { nextSequence, sendTelling, unsignedSequenceMax } from './wish.js'

/** What was sent, and what was heard of it. */
export interface Told {
  readonly telling: Telling
  readonly refusals: readonly WishRefusal[]
  /** Whether the one device that was told has taken it; undefined for a channel. */
  readonly isTaken?: boolean
}

/** A device that is online answers within this, on any link that detections go over. */
const listenMs = 2000

/**
 * Sends what `make` makes of a sequence, and listens for refusals for two seconds, less where the one device that is told
 * takes it. Sent once more where devices have seen a higher sequence than the broker holds.
 * Throws `network.*`, and `trust.sequence_stale` as {@link nextSequence} does.
 */
export async function tellTarget(
  fleet: FleetConnection,
  target: DesiredTarget,
  keys: readonly SigningKey[],
  make: (sequence: number) => Telling,
  clock: Clock = systemClock,
): Promise<Told> {
  const sequence = await nextSequence(fleet, target, keys, clock.wallMs())
  const told = await tellOnce(fleet, make(sequence), keys, clock)
  const seen = told.refusals.flatMap(({ newestSequence }) => newestSequence ?? [])
  const newest = Math.max(0, ...seen.filter((each) => each <= unsignedSequenceMax))
  if (newest < sequence) return told
  return tellOnce(fleet, make(newest + 1), keys, clock)
}

async function tellOnce(
  fleet: FleetConnection,
  telling: Telling,
  keys: readonly SigningKey[],
  clock: Clock,
): Promise<Told> {
  const { connection, topics } = fleet
  const { target, sequence } = placeOf(telling)
  const refusals = new Map<string, WishRefusal>()
  const enough = new AbortController()
  let isTaken = false
  const isOne = target.kind === 'device'
  const topic = isOne ? topics.deviceState(target.name, 'reported') : topics.stateOfAll('reported')
  const subscription = connection.subscribe([topic], 1, (message) => {
    const parsed = parseTopic(topics.root, message.topic)
    const reported = reportedIn(message.payload)
    if (parsed?.kind !== 'reported' || reported === undefined) return
    const { refusedWish, desiredSequence } = reported
    const isOurs = refusedWish?.target.kind === target.kind && refusedWish.target.name === target.name
    if (isOurs && refusedWish.sequence === sequence)
      refusals.set(parsed.device, { device: parsed.device, ...refusedWish })
    else if (desiredSequence === sequence) isTaken = true
    else return
    if (isOne) enough.abort()
  })
  try {
    await subscription.outcome
    await sendTelling(fleet, telling, keys)
    await clock.sleep(listenMs, enough.signal)
  } finally {
    await subscription.close()
  }
  return { telling, refusals: [...refusals.values()], ...(isOne && { isTaken }) }
}

function reportedIn(payload: Uint8Array): Reported | undefined {
  try {
    return parseReported(payload)
  } catch {
    // Whoever looks at the fleet sees it there; here only answers count.
    return undefined
  }
}

/** So many refusals are named; the others are counted. */
const namedMax = 10

/** Says on stderr who refused. */
export function noteRefusals(output: Output, { refusals }: Told): void {
  for (const refusal of refusals.slice(0, namedMax)) output.note(refusalLine(refusal))
  if (refusals.length > namedMax)
    output.note(`and ${refusals.length - namedMax} more devices did not take it`)
}

/** The refusals for machines: nothing where there are none. */
export function refusalFields({ refusals }: Told): object {
  return refusals.length === 0 ? {} : { refused_by: refusals.map(refusalResult) }
}
