/** Whether a device is reachable: plain text, retained, also the last will. Invariant: `offline` is only said by the broker. */

/** `offline`: the connection broke; `stopped`: the agent ended on purpose. */
export type Availability = 'online' | 'offline' | 'stopped'

/** Reads an availability, or undefined for anything else; never throws. */
export function parseAvailability(bytes: Uint8Array): Availability | undefined {
  if (bytes.byteLength > 16) return undefined
  const text = new TextDecoder('latin1').decode(bytes)
  return text === 'online' || text === 'offline' || text === 'stopped' ? text : undefined
}
