/** Which devices trust which keys, from what they say of themselves. Invariant: a device that says nothing counts as unknown. */

import { AgentError } from '../../base/errors.js'
import { parseInfo } from '../../protocol/info.js'
import { parseTopic } from '../../protocol/topics.js'
import type { FleetConnection } from './fleet-connection.js'
import { readFleetState } from './fleet-state.js'

/** Devices by whether they trust a key. */
export interface KeyHolders {
  readonly trusting: readonly string[]
  readonly lacking: readonly string[]
}

/**
 * What every device has said of its keys: ids by device; undefined for one that does not tell.
 * Throws `network.*`, also when not every device could be read: keys are given up by it.
 */
export async function knownKeys(
  fleet: FleetConnection,
): Promise<ReadonlyMap<string, readonly string[] | undefined>> {
  const { messages, unfinished } = await readFleetState(fleet, ['info'])
  if (unfinished !== undefined) {
    const problem = `what devices trust was not read to the end: ${unfinished}`
    throw new AgentError('network.reading_unfinished', problem)
  }
  const said = new Map<string, readonly string[] | undefined>()
  for (const [topic, payload] of messages) {
    const parsed = parseTopic(fleet.topics.root, topic)
    if (parsed?.kind === 'info') said.set(parsed.device, keysIn(payload))
  }
  return said
}

/** Who trusts the key `keyId`, and who does not; a device that does not tell lacks it. */
export function holdersOf(
  said: ReadonlyMap<string, readonly string[] | undefined>,
  keyId: string,
): KeyHolders {
  const names = [...said.keys()].sort()
  const isTrusting = (name: string): boolean => said.get(name)?.includes(keyId) === true
  return {
    trusting: names.filter(isTrusting),
    lacking: names.filter((name) => !isTrusting(name)),
  }
}

function keysIn(payload: Uint8Array): readonly string[] | undefined {
  try {
    return parseInfo(payload).trustedKeys
  } catch {
    // Told elsewhere; of its keys nothing is known.
    return undefined
  }
}
